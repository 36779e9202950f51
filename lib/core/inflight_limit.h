/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many lanes of a context may have pages out at a time.
 *
 * Lanes share locks of the kernel and interrupt each other's CPUs. While every lane has a CPU that
 * is cheap; where CPUs are short, each waits for those that are preempted, and all of them are
 * slower than one alone. So the number goes down when exchanges take several times as long as they
 * have been seen to, and up again when they don't.
 *
 * Lives in vault memory. Nobody waits here with pages out.
 */
#ifndef FERRY_INFLIGHT_LIMIT_H
#define FERRY_INFLIGHT_LIMIT_H

#include <stdatomic.h>

#include "base/base.h"

struct inflight_limit {
	atomic_uint nr_inside; /* futex */
	atomic_uint nr_waiting;
	atomic_uint max_inside;
	atomic_uint nr_good;            /* quick exchanges since the last slow one */
	atomic_uint nr_slow;            /* slow ones, less quick ones */
	_Atomic uint64_t best_ns[2][2]; /* per page, by huge and together; 0: not known yet */
};

void inflight_limit_init(struct inflight_limit *limit, unsigned int nr_lanes);

void inflight_limit_enter(struct inflight_limit *limit);
void inflight_limit_leave(struct inflight_limit *limit);

/*
 * nr_pages, out at the same time, were out for out_ns. Only what is alike is compared: small or
 * huge pages, copied by one thread or by several together. most: the limit at best.
 */
void inflight_limit_note(struct inflight_limit *limit, unsigned int nr_pages, bool huge,
			 bool together, uint64_t stall_ns, unsigned int nr_workers);

#endif
