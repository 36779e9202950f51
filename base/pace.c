// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/pace.h"

#define GAP_MIN 8
#define GAP_MAX 128

/* Turns of a trial that count; the one before them does not. */
#define TRIAL_TURNS 3

/*
 * A slower turn counts for an eighth, a quicker one for a half: what gets in the way of some turns
 * must not cost a way its place. One that was interrupted counts as twice the average at most.
 */
#define WEIGHT_SLOWER  8
#define WEIGHT_QUICKER 2
#define CLAMP          2

unsigned int pace_choose(struct pace *pace)
{
	if (!pace->gap)
		pace->gap = pace->nr_left = GAP_MIN;
	if (pace->nr_trial)
		return !pace->way;
	if (pace->nr_left) {
		pace->nr_left--;
		return pace->way;
	}
	pace->nr_trial = 1 + TRIAL_TURNS;
	pace->trial = 0;
	return !pace->way;
}

static void end_trial(struct pace *pace)
{
	uint64_t trial = pace->trial / TRIAL_TURNS;

	if (trial < pace->usual) {
		pace->way = !pace->way;
		pace->usual = trial;
		pace->gap = GAP_MIN;
	} else {
		pace->gap = MIN(pace->gap * 2, GAP_MAX);
	}
	pace->nr_left = pace->gap;
}

static uint64_t average(uint64_t usual, uint64_t sample)
{
	uint64_t weight = sample < usual ? WEIGHT_QUICKER : WEIGHT_SLOWER;

	return usual ? (usual * (weight - 1) + sample) / weight : sample;
}

void pace_note(struct pace *pace, unsigned int way, uint64_t bytes, uint64_t ns)
{
	uint64_t sample = ns * (1U << 20) / MAX(bytes, 1) + 1;

	if (pace->usual)
		sample = MIN(sample, pace->usual * CLAMP);
	if (way == pace->way) {
		pace->usual = average(pace->usual, sample);
	} else if (pace->nr_trial) {
		if (pace->nr_trial <= TRIAL_TURNS)
			pace->trial += sample;
		if (!--pace->nr_trial)
			end_trial(pace);
	}
}
