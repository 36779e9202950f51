/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Do two measured values differ, or is it the noise? */
#ifndef MIGBENCH_NOISE_H
#define MIGBENCH_NOISE_H

#include <stdint.h>

struct measured {
	double median, mad; /* median absolute deviation of the rounds */
	int64_t nr_rounds;
};

enum noise_verdict { NOISE_SAME, NOISE_MORE, NOISE_LESS, NOISE_UNKNOWN };

/* Fewer rounds say too little about the spread. */
#define NOISE_ROUNDS_MIN 3

/*
 * What a difference of medians must exceed: twice the standard deviation of the difference of two
 * single rounds. That is more than the medians of many rounds need, because what slows one run down
 * as a whole (another load, another placement of memory) does not show in the spread of its rounds.
 */
double noise_of(const struct measured *a, const struct measured *b);
/* a compared with b. */
enum noise_verdict noise_compare(const struct measured *a, const struct measured *b);

#endif
