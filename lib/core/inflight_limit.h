/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits how many lanes of a context may have pages in flight at a time.
 *
 * Lanes share locks of the kernel and interrupt each other's CPUs. While every lane has a CPU, that
 * costs little. Where CPUs are contended, each lane waits for the lanes that are preempted, and all
 * of them together are slower than one alone. So the limit decreases when exchanges take several
 * times as long as the fastest ones so far, and increases again when they do not.
 *
 * Lives in vault memory. A lane enters before it takes pages out, so a lane that waits here has no
 * pages in flight.
 */
#ifndef FERRY_INFLIGHT_LIMIT_H
#define FERRY_INFLIGHT_LIMIT_H

#include <stdatomic.h>

#include "base/base.h"

struct inflight_limit {
	atomic_uint nr_inside; /* futex: lanes with pages in flight */
	atomic_uint nr_waiting;
	atomic_uint max_inside;         /* the limit */
	atomic_uint nr_good;            /* fast exchanges since the last slow one */
	atomic_uint nr_slow;            /* slow exchanges minus fast ones, at least 0 */
	_Atomic uint64_t best_ns[2][2]; /* per page, by huge and together; 0: unknown */
};

void inflight_limit_init(struct inflight_limit *limit, unsigned int nr_lanes);

void inflight_limit_enter(struct inflight_limit *limit);
void inflight_limit_leave(struct inflight_limit *limit);

/*
 * Adjusts the limit, up to nr_workers, after nr_pages were in flight at the same time, for
 * stall_ns. Compares only with exchanges of the same kind: of small or of huge pages, copied by one
 * thread or by several together.
 */
void inflight_limit_note(struct inflight_limit *limit, unsigned int nr_pages, bool huge,
			 bool together, uint64_t stall_ns, unsigned int nr_workers);

#endif
