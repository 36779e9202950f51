// SPDX-License-Identifier: LGPL-2.1-or-later
#include <criterion/criterion.h>

#include "base/clock.h"
#include "lib/core/bandwidth.h"

#define RATE (100UL << 20)

Test(bandwidth, no_cap_never_waits)
{
	struct bandwidth bandwidth = {0};

	bandwidth_take(&bandwidth, UINT64_MAX / 2, 5);
	cr_assert_eq(bandwidth_until(&bandwidth, 5), 0);
}

Test(bandwidth, waits_for_what_was_taken)
{
	struct bandwidth bandwidth = {.max_bytes_per_s = RATE};
	uint64_t now = 100 * NS_PER_SEC;

	cr_assert_eq(bandwidth_until(&bandwidth, now), 0);
	bandwidth_take(&bandwidth, RATE, now);
	cr_assert_eq(bandwidth_until(&bandwidth, now), now + 990 * NS_PER_MS);
	bandwidth_take(&bandwidth, RATE, now);
	cr_assert_eq(bandwidth_until(&bandwidth, now), now + 1990 * NS_PER_MS);
	cr_assert_eq(bandwidth_until(&bandwidth, now + 1990 * NS_PER_MS), 0);
}

Test(bandwidth, unused_time_is_not_saved_up)
{
	struct bandwidth bandwidth = {.max_bytes_per_s = RATE};
	uint64_t now = 100 * NS_PER_SEC;

	bandwidth_take(&bandwidth, 4096, now);
	now += 50 * NS_PER_SEC;
	for (unsigned int i = 0; i < 4; i++)
		bandwidth_take(&bandwidth, RATE, now);
	cr_assert_eq(bandwidth_until(&bandwidth, now), now + 3990 * NS_PER_MS);
}

/* A worker that wakes late takes the next unit late; the rate is kept all the same. */
Test(bandwidth, lateness_is_made_up_for)
{
	struct bandwidth bandwidth = {.max_bytes_per_s = RATE};
	uint64_t start = 100 * NS_PER_SEC, now = start;

	for (unsigned int i = 0; i < 100; i++) {
		uint64_t until = bandwidth_until(&bandwidth, now);

		now = MAX(now, until) + 3 * NS_PER_MS;
		bandwidth_take(&bandwidth, RATE / 100, now);
	}
	cr_assert_lt(now - start, 1010 * NS_PER_MS);
	cr_assert_geq(now - start, 980 * NS_PER_MS);
}
