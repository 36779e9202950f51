// SPDX-License-Identifier: LGPL-2.1-or-later
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

static void add_up(uint64_t *total, const struct counts *counts, uint32_t nr)
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
	add_up(sum->closed, counts, sum->nr);
	futex_unlock(&sum->lock);
}

void counts_total(struct counts_sum *sum, uint64_t *total)
{
	futex_lock(&sum->lock);
	for (uint32_t i = 0; i < sum->nr; i++)
		total[i] = sum->closed[i];
	for (const struct counts *counts = sum->open; counts; counts = counts->next)
		add_up(total, counts, sum->nr);
	futex_unlock(&sum->lock);
}
