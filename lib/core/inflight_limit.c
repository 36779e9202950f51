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

void turnstile_open(struct turnstile *turnstile, unsigned int nr_lanes)
{
	atomic_store(&turnstile->limit, nr_lanes);
}

void turnstile_enter(struct turnstile *turnstile)
{
	for (;;) {
		unsigned int nr = atomic_load(&turnstile->nr_inside);

		while (nr < atomic_load(&turnstile->limit))
			if (atomic_compare_exchange_weak(&turnstile->nr_inside, &nr, nr + 1))
				return;
		atomic_fetch_add(&turnstile->nr_waiting, 1);
		futex_wait(&turnstile->nr_inside, nr, WAIT_NS);
		atomic_fetch_sub(&turnstile->nr_waiting, 1);
	}
}

void turnstile_leave(struct turnstile *turnstile)
{
	atomic_fetch_sub(&turnstile->nr_inside, 1);
	if (atomic_load(&turnstile->nr_waiting))
		futex_wake(&turnstile->nr_inside, 1);
}

/* The best is forgotten slowly: a machine that has become slower for good is not punished. */
static uint64_t note_best(_Atomic uint64_t *best_ns, uint64_t ns)
{
	uint64_t best = atomic_load_explicit(best_ns, memory_order_relaxed);

	if (!best || ns < best)
		best = ns;
	else
		best += best / 256 + 1;
	atomic_store_explicit(best_ns, best, memory_order_relaxed);
	return best;
}

static void change_limit(struct turnstile *turnstile, unsigned int from, unsigned int to)
{
	atomic_store(&turnstile->nr_slow, 0);
	atomic_store(&turnstile->nr_good, 0);
	atomic_compare_exchange_strong(&turnstile->limit, &from, to);
}

void turnstile_note(struct turnstile *turnstile, unsigned int nr_pages, bool huge, bool together,
		    uint64_t out_ns, unsigned int most)
{
	unsigned int limit = atomic_load(&turnstile->limit);
	uint64_t ns = out_ns / nr_pages;
	unsigned int nr_slow;

	if (nr_pages < MIN_PAGES)
		return;
	if (ns > SLOW_TIMES * note_best(&turnstile->best_ns[huge][together], ns)) {
		atomic_store(&turnstile->nr_good, 0);
		if (atomic_fetch_add(&turnstile->nr_slow, 1) + 1 >= SLOW_RUN && limit > 1)
			change_limit(turnstile, limit, limit - 1);
		return;
	}
	nr_slow = atomic_load(&turnstile->nr_slow);
	if (nr_slow)
		atomic_compare_exchange_strong(&turnstile->nr_slow, &nr_slow, nr_slow - 1);
	if (limit < most && atomic_fetch_add(&turnstile->nr_good, 1) + 1 >= GOOD_RUN)
		change_limit(turnstile, limit, limit + 1);
}
