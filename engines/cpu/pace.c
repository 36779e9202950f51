// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engines/cpu/pace.h"

/* The worse way is tried after that many copies, twice as many each time it stays the worse. */
#define GAP_MIN 4
#define GAP_MAX 256

/* A copy counts for an eighth, and one that was interrupted for no more than twice the average. */
#define WEIGHT 8
#define CLAMP  2

static enum pace_way better(const struct pace *pace)
{
	uint64_t shared = pace->ns_per_mib[PACE_SHARED], alone = pace->ns_per_mib[PACE_ALONE];

	return alone && shared > alone ? PACE_ALONE : PACE_SHARED;
}

static enum pace_way other(enum pace_way way)
{
	return way == PACE_SHARED ? PACE_ALONE : PACE_SHARED;
}

enum pace_way pace_choose(struct pace *pace)
{
	if (pace->nr_left) {
		pace->nr_left--;
		return better(pace);
	}
	pace->gap = MIN(MAX(pace->gap * 2, GAP_MIN), GAP_MAX);
	pace->nr_left = pace->gap;
	return pace->ns_per_mib[PACE_SHARED] ? other(better(pace)) : PACE_SHARED;
}

void pace_note(struct pace *pace, enum pace_way way, uint64_t bytes, uint64_t ns)
{
	uint64_t *average = &pace->ns_per_mib[way];
	uint64_t sample = ns * (1U << 20) / MAX(bytes, 1) + 1;
	enum pace_way before = better(pace);

	if (*average)
		sample = (*average * (WEIGHT - 1) + MIN(sample, *average * CLAMP)) / WEIGHT;
	*average = sample;
	if (better(pace) != before)
		pace->gap = pace->nr_left = GAP_MIN;
}
