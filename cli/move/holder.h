/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --other-process: a child process that has memory, and checks it, while this process moves it. */
#ifndef MIGBENCH_MOVE_HOLDER_H
#define MIGBENCH_MOVE_HOLDER_H

#include <sys/types.h>

#include "cli/area/area.h"

struct holder {
	pid_t pid; /* 0: none */
	int socket;
};

/*
 * Starts a child with an area as area_open() makes it, filled with seed. *area describes it, with
 * addresses in the child. The child ends with the holder, or with this process. 0 or -errno.
 */
int holder_open(struct holder *holder, size_t len_bytes, size_t folio_bytes, int node,
		uint64_t seed, struct area *area);
void holder_close(struct holder *holder);

/* area_check() in the child. 1: right; 0: *bad is the first wrong word; -ESRCH: it has ended. */
int holder_check(const struct holder *holder, struct mismatch *bad);

#endif
