// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/pace.h"

/*
 * Turns between two trials. Increasing these runs the slower variant less often; decreasing them
 * notices sooner that the other variant has become the faster one.
 */
#define GAP_MIN_TURNS 8
#define GAP_MAX_TURNS 128

/*
 * Turns of a trial that are counted, after one that is not. Increasing this makes the verdict more
 * reliable and each trial of a slower variant more expensive.
 */
#define TRIAL_TURNS 3

/*
 * A slower sample enters the running average with a weight of 1/8, a faster one with 1/2, and no
 * sample counts as more than twice the average: outliers must not flip the choice. Increasing a
 * weight's divisor makes the average follow such samples more slowly; increasing CLAMP gives
 * outliers more influence.
 */
#define SLOWER_DIVISOR 8
#define FASTER_DIVISOR 2
#define CLAMP          2

unsigned int pace_choose(struct pace *pace)
{
	if (!pace->gap_turns)
		pace->gap_turns = pace->nr_turns = GAP_MIN_TURNS;
	if (pace->nr_trial_turns)
		return !pace->variant;
	if (pace->nr_turns) {
		pace->nr_turns--;
		return pace->variant;
	}
	pace->nr_trial_turns = 1 + TRIAL_TURNS;
	pace->trial_sum = 0;
	return !pace->variant;
}

static void pace_end_trial(struct pace *pace)
{
	uint64_t trial = pace->trial_sum / TRIAL_TURNS;

	if (trial < pace->ns_per_mib) {
		pace->variant = !pace->variant;
		pace->ns_per_mib = trial;
		pace->gap_turns = GAP_MIN_TURNS;
	} else {
		pace->gap_turns = MIN(pace->gap_turns * 2, GAP_MAX_TURNS);
	}
	pace->nr_turns = pace->gap_turns;
}

static uint64_t pace_average(uint64_t average, uint64_t sample)
{
	uint64_t divisor = sample < average ? FASTER_DIVISOR : SLOWER_DIVISOR;

	return average ? (average * (divisor - 1) + sample) / divisor : sample;
}

void pace_note(struct pace *pace, unsigned int variant, uint64_t bytes, uint64_t ns)
{
	uint64_t sample = ns * (1U << 20) / MAX(bytes, 1) + 1;

	if (pace->ns_per_mib)
		sample = MIN(sample, pace->ns_per_mib * CLAMP);
	if (variant == pace->variant) {
		pace->ns_per_mib = pace_average(pace->ns_per_mib, sample);
	} else if (pace->nr_trial_turns) {
		if (pace->nr_trial_turns <= TRIAL_TURNS)
			pace->trial_sum += sample;
		if (!--pace->nr_trial_turns)
			pace_end_trial(pace);
	}
}
