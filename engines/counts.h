/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An engine's counters. Every channel adds to numbers of its own, so that counting costs an add and
 * no locked instruction; the engine adds them up when somebody asks.
 */
#ifndef FERRY_COUNTS_H
#define FERRY_COUNTS_H

#include <stdatomic.h>

#include "base/futex.h"
#include "engines/engine.h"

/* One channel's, in the channel's memory. */
struct counts {
	struct counts *prev, *next;
	_Atomic uint64_t *values; /* as many as the engine's */
};

/* One engine's, in the engine's memory. */
struct counts_sum {
	struct futex_lock lock; /* for the list and closed; never taken while a batch is served */
	struct counts *open;
	uint64_t *closed; /* of channels that are gone */
	uint32_t nr;
};

/* closed: nr zeroes, in place as long as sum is. */
static inline void counts_init(struct counts_sum *sum, uint64_t *closed, uint32_t nr)
{
	*sum = (struct counts_sum){.closed = closed, .nr = nr};
}

/* values: sum->nr zeroes, in place until counts_close. */
void counts_open(struct counts_sum *sum, struct counts *counts, _Atomic uint64_t *values);
/* What was counted stays in the sum. */
void counts_close(struct counts_sum *sum, struct counts *counts);
/* The totals since the engine was opened, sum->nr of them. From any thread. */
void counts_total(struct counts_sum *sum, uint64_t *total);

/* "fallback.NAME", items left to the CPU for that reason, and "fallback.NAME.bytes". */
void counts_report_fallbacks(const char *const *names, unsigned int nr, const uint64_t *items,
			     const uint64_t *bytes, engine_counter_fn fn, void *arg);

/* By the thread that has the channel, nobody else. */
static inline void counts_add(struct counts *counts, unsigned int which, uint64_t n)
{
	uint64_t value = atomic_load_explicit(&counts->values[which], memory_order_relaxed);

	atomic_store_explicit(&counts->values[which], value + n, memory_order_relaxed);
}

#endif
