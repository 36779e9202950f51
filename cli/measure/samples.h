/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples and their middle: medians and median absolute deviations, which outliers don't move. */
#ifndef MIGBENCH_STAT_H
#define MIGBENCH_STAT_H

struct samples {
	double *v;
	unsigned int nr;
	unsigned int cap;
};

void samples_add(struct samples *samples, double value);
void samples_free(struct samples *samples);

/* All are 0 without samples. */
double samples_median(const struct samples *samples);
double samples_mad(const struct samples *samples);
double samples_max(const struct samples *samples);

#endif
