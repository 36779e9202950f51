// SPDX-License-Identifier: LGPL-2.1-or-later
#include <math.h>

#include "cli/full_report/noise.h"

/* Of a normal distribution, the standard deviation per median absolute deviation. */
#define SIGMA_PER_MAD 1.4826

double noise_of(const struct measured *a, const struct measured *b)
{
	return 2 * SIGMA_PER_MAD * hypot(a->mad, b->mad);
}

enum noise_verdict noise_compare(const struct measured *a, const struct measured *b)
{
	double difference = a->median - b->median;

	if (a->nr_rounds < NOISE_ROUNDS_MIN || b->nr_rounds < NOISE_ROUNDS_MIN)
		return NOISE_UNKNOWN;
	if (fabs(difference) <= noise_of(a, b))
		return NOISE_SAME;
	return difference > 0 ? NOISE_MORE : NOISE_LESS;
}
