// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/clock.h"
#include "base/futex.h"
#include "lib/core/inflight_limit.h"

/* Shorter ones cost more per page, by an amount that says nothing. */
#define MIN_PAGES 64

/* Sharing the memory's bandwidth makes an exchange twice as long, being preempted ten times. */
#define SLOW_TIMES 4

/* So many slow ones more than quick ones keep one out, so many quick ones let one in again. */
#define SLOW_RUN 3
#define GOOD_RUN 8

/* A lost wake-up, or a limit that was raised meanwhile, costs no more than this. */
#define WAIT_NS (5 * NS_PER_MS)

void inflight_limit_init(struct inflight_limit *limit, unsigned int nr_lanes)
{
	atomic_store(&limit->max_inside, nr_lanes);
}

void inflight_limit_enter(struct inflight_limit *limit)
{
	for (;;) {
		unsigned int nr = atomic_load(&limit->nr_inside);

		while (nr < atomic_load(&limit->max_inside))
			if (atomic_compare_exchange_weak(&limit->nr_inside, &nr, nr + 1))
				return;
		atomic_fetch_add(&limit->nr_waiting, 1);
		futex_wait(&limit->nr_inside, nr, WAIT_NS);
		atomic_fetch_sub(&limit->nr_waiting, 1);
	}
}

void inflight_limit_leave(struct inflight_limit *limit)
{
	atomic_fetch_sub(&limit->nr_inside, 1);
	if (atomic_load(&limit->nr_waiting))
		futex_wake(&limit->nr_inside, 1);
}

/* The best is forgotten slowly: a machine that has become slower for good is not punished. */
static uint64_t limit_note_best(_Atomic uint64_t *best_ns, uint64_t ns)
{
	uint64_t best = atomic_load_explicit(best_ns, memory_order_relaxed);

	if (!best || ns < best)
		best = ns;
	else
		best += best / 256 + 1;
	atomic_store_explicit(best_ns, best, memory_order_relaxed);
	return best;
}

static void limit_change(struct inflight_limit *limit, unsigned int from, unsigned int to)
{
	atomic_store(&limit->nr_slow, 0);
	atomic_store(&limit->nr_good, 0);
	atomic_compare_exchange_strong(&limit->max_inside, &from, to);
}

void inflight_limit_note(struct inflight_limit *limit, unsigned int nr_pages, bool huge,
			 bool together, uint64_t stall_ns, unsigned int nr_workers)
{
	unsigned int max_inside = atomic_load(&limit->max_inside);
	uint64_t page_ns = stall_ns / nr_pages;
	unsigned int nr_slow;

	if (nr_pages < MIN_PAGES)
		return;
	if (page_ns > SLOW_TIMES * limit_note_best(&limit->best_ns[huge][together], page_ns)) {
		atomic_store(&limit->nr_good, 0);
		if (atomic_fetch_add(&limit->nr_slow, 1) + 1 >= SLOW_RUN && max_inside > 1)
			limit_change(limit, max_inside, max_inside - 1);
		return;
	}
	nr_slow = atomic_load(&limit->nr_slow);
	if (nr_slow)
		atomic_compare_exchange_strong(&limit->nr_slow, &nr_slow, nr_slow - 1);
	if (max_inside < nr_workers && atomic_fetch_add(&limit->nr_good, 1) + 1 >= GOOD_RUN)
		limit_change(limit, max_inside, max_inside + 1);
}
