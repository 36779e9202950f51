/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another process that holds memory while this one moves it, and checks it there. */
#ifndef MIGBENCH_HOLDER_H
#define MIGBENCH_HOLDER_H

#include <sys/types.h>

#include "cli/area/area.h"

struct holder {
	pid_t pid; /* 0: none */
	int socket;
};

/*
 * Starts a child that has an area as area_open() makes them, filled with seed. *area describes it:
 * its addresses mean something in the child alone. The child ends with the holder, or with this
 * process. 0 or -errno.
 */
int holder_open(struct holder *holder, size_t len_bytes, size_t folio_bytes, int node,
		uint64_t seed, struct area *area);
void holder_close(struct holder *holder);

/* As area_check(), done by the child. 1: right, 0: *bad says what is not, -ESRCH: it is gone. */
int holder_check(const struct holder *holder, struct mismatch *bad);

#endif
