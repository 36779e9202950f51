// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdarg.h>
#include <stdio.h>

#include "engines/counts.h"

void counts_open(struct counts_sum *sum, struct counts *counts, _Atomic uint64_t *values)
{
	counts->values = values;
	counts->prev = NULL;
	futex_lock(&sum->lock);
	counts->next = sum->open;
	if (counts->next)
		counts->next->prev = counts;
	sum->open = counts;
	futex_unlock(&sum->lock);
}

static void counts_sum_up(uint64_t *total, const struct counts *counts, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		total[i] += atomic_load_explicit(&counts->values[i], memory_order_relaxed);
}

void counts_close(struct counts_sum *sum, struct counts *counts)
{
	futex_lock(&sum->lock);
	*(counts->prev ? &counts->prev->next : &sum->open) = counts->next;
	if (counts->next)
		counts->next->prev = counts->prev;
	counts_sum_up(sum->closed, counts, sum->nr);
	futex_unlock(&sum->lock);
}

void counts_total(struct counts_sum *sum, uint64_t *total)
{
	futex_lock(&sum->lock);
	for (uint32_t i = 0; i < sum->nr; i++)
		total[i] = sum->closed[i];
	for (const struct counts *counts = sum->open; counts; counts = counts->next)
		counts_sum_up(total, counts, sum->nr);
	futex_unlock(&sum->lock);
}

void counts_report(engine_counter_fn fn, void *arg, uint64_t value, const char *format, ...)
{
	char name[96];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	fn(arg, name, value);
}

void counts_report_fallbacks(const char *const *names, unsigned int nr_reasons,
			     const uint64_t *totals, engine_counter_fn fn, void *arg)
{
	for (unsigned int i = 0; i < nr_reasons; i++) {
		counts_report(fn, arg, totals[i], "fallback.%s", names[i]);
		counts_report(fn, arg, totals[nr_reasons + i], "fallback.%s.bytes", names[i]);
	}
}
