// SPDX-License-Identifier: LGPL-2.1-or-later
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/common.h"
#include "cli/measure/measure.h"

void samples_add(struct samples *samples, double value)
{
	if (samples->nr == samples->cap) {
		unsigned int cap = samples->cap ? 2 * samples->cap : 32;
		double *v = cli_alloc(cap, sizeof(*v));

		if (samples->nr)
			memcpy(v, samples->v, samples->nr * sizeof(*v));
		free(samples->v);
		samples->v = v;
		samples->cap = cap;
	}
	samples->v[samples->nr++] = value;
}

void samples_free(struct samples *samples)
{
	free(samples->v);
	memset(samples, 0, sizeof(*samples));
}

static int samples_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts v first. */
static double sorted_median(double *v, unsigned int nr)
{
	qsort(v, nr, sizeof(*v), samples_compare);
	return nr % 2 ? v[nr / 2] : (v[nr / 2 - 1] + v[nr / 2]) / 2;
}

double samples_median(const struct samples *samples)
{
	double *v, median;

	if (!samples->nr)
		return 0;
	v = cli_alloc(samples->nr, sizeof(*v));
	memcpy(v, samples->v, samples->nr * sizeof(*v));
	median = sorted_median(v, samples->nr);
	free(v);
	return median;
}

double samples_mad(const struct samples *samples)
{
	double median = samples_median(samples);
	double *v, mad;

	if (!samples->nr)
		return 0;
	v = cli_alloc(samples->nr, sizeof(*v));
	for (unsigned int i = 0; i < samples->nr; i++)
		v[i] = fabs(samples->v[i] - median);
	mad = sorted_median(v, samples->nr);
	free(v);
	return mad;
}

double samples_max(const struct samples *samples)
{
	double max = samples->nr ? samples->v[0] : 0;

	for (unsigned int i = 1; i < samples->nr; i++)
		max = fmax(max, samples->v[i]);
	return max;
}
