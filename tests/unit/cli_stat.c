// SPDX-License-Identifier: LGPL-2.1-or-later
/* migbench's statistics, compared with a simpler computation. */
#include <criterion/criterion.h>

#include "cli/common/common.c"
#include "cli/measure/hist.c"
#include "cli/measure/samples.c"
#include "tests/testlib/random.h"

static struct samples samples_of(const double *v, unsigned int nr)
{
	struct samples samples = {0};

	for (unsigned int i = 0; i < nr; i++)
		samples_add(&samples, v[i]);
	return samples;
}

Test(samples, median_and_spread)
{
	struct samples odd = samples_of((double[]){9, 1, 5}, 3);
	struct samples even = samples_of((double[]){4, 1, 3, 2}, 4);
	struct samples outlier = samples_of((double[]){10, 11, 12, 13, 1000}, 5);

	cr_assert_eq(samples_median(&odd), 5);
	cr_assert_eq(samples_mad(&odd), 4);
	cr_assert_eq(samples_median(&even), 2.5);
	cr_assert_eq(samples_mad(&even), 1);
	cr_assert_eq(samples_median(&outlier), 12);
	cr_assert_eq(samples_mad(&outlier), 1);
	cr_assert_eq(samples_max(&outlier), 1000);
	samples_free(&odd);
	samples_free(&even);
	samples_free(&outlier);
}

Test(samples, the_median_leaves_the_order_alone)
{
	struct samples samples = samples_of((double[]){3, 1, 2}, 3);

	samples_median(&samples);
	cr_assert_eq(samples.v[0], 3);
	cr_assert_eq(samples.v[2], 2);
	samples_free(&samples);
}

Test(samples, none_and_many)
{
	struct samples samples = {0};

	cr_assert_eq(samples_median(&samples), 0);
	cr_assert_eq(samples_mad(&samples), 0);
	for (unsigned int i = 0; i < 1001; i++)
		samples_add(&samples, i * 8 % 1001);
	cr_assert_eq(samples.nr, 1001);
	cr_assert_eq(samples_median(&samples), 500);
	samples_free(&samples);
}

/* Every bucket ends where the next begins, over the whole range. */
Test(hist, buckets_are_seamless)
{
	for (unsigned int i = 0; i + 1 < HIST_NR_BUCKETS; i++) {
		uint64_t last = hist_bucket_last(i);

		cr_assert_eq(hist_bucket(last), i, "bucket %u", i);
		cr_assert_eq(hist_bucket(last + 1), i + 1, "bucket %u", i);
	}
	cr_assert_eq(hist_bucket(0), 0);
	cr_assert_eq(hist_bucket(UINT64_MAX), HIST_NR_BUCKETS - 1);
	cr_assert_eq(hist_bucket_last(HIST_NR_BUCKETS - 1), UINT64_MAX);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Against a sorted list of the same values, of all magnitudes: never below, at most 1/128 above. */
Test(hist, quantiles_are_within_their_error)
{
	static const double parts[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.9999, 1};
	const unsigned int nr = 20000;
	uint64_t *values = calloc(nr, sizeof(*values)), state = 42;
	struct hist *hist = calloc(1, sizeof(*hist));

	for (unsigned int i = 0; i < nr; i++) {
		values[i] = next_random(&state) >> 11 >> next_random(&state) % 53;
		hist_add(hist, values[i]);
	}
	qsort(values, nr, sizeof(*values), by_number);
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		unsigned int rank = (unsigned int)ceil(parts[i] * nr);
		uint64_t exact = values[rank ? rank - 1 : 0], found = hist_quantile(hist, parts[i]);

		cr_assert_geq(found, exact, "part %g", parts[i]);
		cr_assert_leq(found, exact + exact / 128, "part %g", parts[i]);
	}
	cr_assert_eq(hist_quantile(hist, 1), values[nr - 1]);
	free(values);
	free(hist);
}

Test(hist, merging_is_adding)
{
	struct hist *a = calloc(3, sizeof(*a)), *b = a + 1, *both = a + 2;

	for (uint64_t v = 0; v < 3000; v++) {
		hist_add(v % 3 ? a : b, v * v);
		hist_add(both, v * v);
	}
	hist_merge(a, b);
	cr_assert_eq(memcmp(a, both, sizeof(*a)), 0);
	cr_assert_eq(a->nr, 3000);
	free(a);
}

Test(hist, an_empty_one)
{
	struct hist *hist = calloc(1, sizeof(*hist));

	cr_assert_eq(hist_quantile(hist, 0.99), 0);
	free(hist);
}
