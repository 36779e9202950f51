/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The counters of an engine. Each channel has its own, so that counting needs no locked
 * instruction; a report adds them up.
 */
#ifndef FERRY_COUNTS_H
#define FERRY_COUNTS_H

#include <stdatomic.h>

#include "base/futex.h"
#include "engines/engine.h"

/* Of one channel, in its memory. */
struct counts {
	struct counts *prev, *next;
	_Atomic uint64_t *values; /* counts_sum.nr of them */
};

/* Of one engine, in its memory. */
struct counts_sum {
	struct futex_lock lock; /* of the list and `closed`; never taken while a batch is served */
	struct counts *open;
	uint64_t *closed; /* the sums of closed channels */
	uint32_t nr;
};

/* closed: nr zeroes that live as long as sum. */
static inline void counts_init(struct counts_sum *sum, uint64_t *closed, uint32_t nr)
{
	*sum = (struct counts_sum){.closed = closed, .nr = nr};
}

/* values: sum->nr zeroes that live until counts_close. */
void counts_open(struct counts_sum *sum, struct counts *counts, _Atomic uint64_t *values);
/* Adds the counters of the channel to the sum and forgets them. */
void counts_close(struct counts_sum *sum, struct counts *counts);
/* Writes sum->nr totals since the engine was opened. From any thread. */
void counts_total(struct counts_sum *sum, uint64_t *total);

/* Reports one counter under a formatted name. */
void counts_report(engine_counter_fn fn, void *arg, uint64_t value, const char *format, ...)
	__printf(4, 5);

/*
 * Items left to the CPU, by reason. They take 2 × nr_reasons counters: the items, then their bytes.
 * Reported as "fallback.NAME" and "fallback.NAME.bytes".
 */
void counts_report_fallbacks(const char *const *names, unsigned int nr_reasons,
			     const uint64_t *totals, engine_counter_fn fn, void *arg);

/* Only by the thread that uses the channel. */
static inline void counts_add(struct counts *counts, unsigned int which, uint64_t n)
{
	uint64_t value = atomic_load_explicit(&counts->values[which], memory_order_relaxed);

	atomic_store_explicit(&counts->values[which], value + n, memory_order_relaxed);
}

/* first: the counter of reason 0. */
static inline void counts_add_fallback(struct counts *counts, unsigned int first,
				       unsigned int nr_reasons, unsigned int reason,
				       uint64_t nr_items, uint64_t nr_bytes)
{
	counts_add(counts, first + reason, nr_items);
	counts_add(counts, first + nr_reasons + reason, nr_bytes);
}

#endif
