/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mappings of this process, by PROCMAP_QUERY on /proc/self/maps. */
#ifndef FERRY_MAPPINGS_H
#define FERRY_MAPPINGS_H

#include "base/base.h"

struct mapping {
	uintptr_t start, end;
	bool exchangeable; /* private, anonymous, readable and writable, not executable */
};

/* Opens /proc/self/maps once per process. 0 or -errno. */
int mappings_open(void);
/* In a forked child: the file shows the parent's mappings, so it is closed. */
void mappings_forget(void);

/* The mapping that covers addr, or the next one above. 0, -ENOENT (none), -errno. */
int __must_check mapping_find(uintptr_t addr, struct mapping *out);

#endif
