// SPDX-License-Identifier: LGPL-2.1-or-later
#include <math.h>

#include "cli/measure/measure.h"

#define SUB (1U << HIST_SUB_BITS)

/*
 * Bucket group 0 holds 0 … SUB-1 one by one; group g > 0 holds [SUB, 2·SUB) << (g-1) in SUB steps.
 */
static unsigned int hist_bucket(uint64_t value)
{
	unsigned int shift;

	if (value < SUB)
		return (unsigned int)value;
	shift = 63U - (unsigned int)__builtin_clzll(value) - HIST_SUB_BITS;
	return (shift + 1) * SUB + (unsigned int)(value >> shift) - SUB;
}

static uint64_t hist_bucket_last(unsigned int bucket)
{
	unsigned int group = bucket / SUB, step = bucket % SUB;

	if (!group)
		return step;
	return (((uint64_t)SUB + step) << (group - 1)) + ((1ULL << (group - 1)) - 1);
}

void hist_add(struct hist *hist, uint64_t value)
{
	hist->buckets[hist_bucket(value)]++;
	hist->nr++;
	if (value > hist->max)
		hist->max = value;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	for (unsigned int i = 0; i < HIST_NR_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
	into->nr += from->nr;
	if (from->max > into->max)
		into->max = from->max;
}

uint64_t hist_quantile(const struct hist *hist, double part)
{
	uint64_t wanted = (uint64_t)ceil(part * (double)hist->nr);
	uint64_t seen = 0;

	if (!wanted)
		wanted = 1;
	for (unsigned int i = 0; i < HIST_NR_BUCKETS && hist->nr; i++) {
		seen += hist->buckets[i];
		if (seen >= wanted)
			return hist_bucket_last(i) < hist->max ? hist_bucket_last(i) : hist->max;
	}
	return hist->max;
}
