// SPDX-License-Identifier: LGPL-2.1-or-later
/* The limit itself, and the rule that adjusts it to the time that exchanges take. */
#include "base/clock.h"
#include "base/futex.h"
#include "lib/core/inflight_limit.h"

/*
 * Exchanges of fewer pages do not change the limit. Their fixed cost makes each page look slow.
 * Increasing this learns from fewer exchanges; decreasing it takes small exchanges for slow ones.
 */
#define MIN_PAGES 64

/*
 * An exchange is slow if a page takes more than this many times as long as in the fastest one.
 * Lanes that share memory bandwidth take twice as long, a lane that is preempted ten times as long.
 * Increasing this misses contention; decreasing it sees contention where lanes share bandwidth.
 */
#define SLOW_TIMES 4

/*
 * The limit decreases by one when there have been SLOW_RUN more slow exchanges than fast ones, and
 * increases by one after GOOD_RUN fast ones in a row. Increasing these adapts later; decreasing
 * them follows outliers.
 */
#define SLOW_RUN 3
#define GOOD_RUN 8

/*
 * A waiting lane looks at the limit this often, in case a wake-up was lost or the limit increased.
 * Increasing this lets such a lane wait longer; decreasing it wakes waiting lanes more often.
 */
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

/*
 * Returns the best time. It increases slowly, so that the limit recovers on a machine that has
 * become slower for good.
 */
static uint64_t inflight_limit_note_best(_Atomic uint64_t *best_ns, uint64_t ns)
{
	uint64_t best = atomic_load_explicit(best_ns, memory_order_relaxed);

	if (!best || ns < best)
		best = ns;
	else
		best += best / 256 + 1;
	atomic_store_explicit(best_ns, best, memory_order_relaxed);
	return best;
}

/* Changes the limit, unless another lane has changed it. */
static void inflight_limit_change(struct inflight_limit *limit, unsigned int from, unsigned int to)
{
	atomic_store(&limit->nr_slow, 0);
	atomic_store(&limit->nr_good, 0);
	atomic_compare_exchange_strong(&limit->max_inside, &from, to);
}

void inflight_limit_note(struct inflight_limit *limit, unsigned int nr_pages, bool huge,
			 bool together, uint64_t stall_ns, unsigned int nr_workers)
{
	unsigned int max_inside = atomic_load(&limit->max_inside);
	uint64_t best_ns, page_ns = stall_ns / nr_pages;
	unsigned int nr_slow;

	if (nr_pages < MIN_PAGES)
		return;
	best_ns = inflight_limit_note_best(&limit->best_ns[huge][together], page_ns);
	if (page_ns > SLOW_TIMES * best_ns) {
		atomic_store(&limit->nr_good, 0);
		if (atomic_fetch_add(&limit->nr_slow, 1) + 1 >= SLOW_RUN && max_inside > 1)
			inflight_limit_change(limit, max_inside, max_inside - 1);
		return;
	}
	nr_slow = atomic_load(&limit->nr_slow);
	if (nr_slow)
		atomic_compare_exchange_strong(&limit->nr_slow, &nr_slow, nr_slow - 1);
	if (max_inside < nr_workers && atomic_fetch_add(&limit->nr_good, 1) + 1 >= GOOD_RUN)
		inflight_limit_change(limit, max_inside, max_inside + 1);
}
