// SPDX-License-Identifier: LGPL-2.1-or-later
#include <criterion/criterion.h>

#include "base/pace.h"

#define MIB (1UL << 20)

enum { PACE_SHARED, PACE_ALONE };

/* Makes nr_copies on a host where a MiB takes that long; returns the number of shared copies. */
static unsigned int run_copies(struct pace *pace, unsigned int nr_copies, uint64_t shared_ns,
			       uint64_t alone_ns)
{
	unsigned int nr_shared = 0;

	for (unsigned int i = 0; i < nr_copies; i++) {
		unsigned int variant = pace_choose(pace);

		nr_shared += variant == PACE_SHARED;
		pace_note(pace, variant, 2 * MIB,
			  2 * (variant == PACE_SHARED ? shared_ns : alone_ns));
	}
	return nr_shared;
}

Test(pace, shares_first)
{
	struct pace pace = {0};

	cr_assert_eq(pace_choose(&pace), PACE_SHARED);
}

Test(pace, shares_nearly_always_where_it_pays)
{
	struct pace pace = {0};

	run_copies(&pace, 500, 40000, 100000);
	cr_assert_geq(run_copies(&pace, 1000, 40000, 100000), 960);
}

Test(pace, copies_alone_nearly_always_where_helpers_cost)
{
	struct pace pace = {0};

	run_copies(&pace, 500, 150000, 100000);
	cr_assert_leq(run_copies(&pace, 1000, 150000, 100000), 40);
}

Test(pace, notices_that_the_host_became_busy_and_idle_again)
{
	struct pace pace = {0};

	run_copies(&pace, 1000, 40000, 100000);
	run_copies(&pace, 1000, 300000, 100000);
	cr_assert_leq(run_copies(&pace, 1000, 300000, 100000), 40, "busy");
	run_copies(&pace, 1000, 40000, 100000);
	cr_assert_geq(run_copies(&pace, 1000, 40000, 100000), 960, "idle again");
}

Test(pace, one_interruption_changes_nothing)
{
	struct pace pace = {0};

	run_copies(&pace, 100, 40000, 100000);
	pace_note(&pace, PACE_SHARED, 2 * MIB, 30000000);
	cr_assert_geq(run_copies(&pace, 100, 40000, 100000), 92);
}

Test(pace, a_slow_beginning_does_not_lose_against_the_second_best)
{
	struct pace pace = {0};

	for (unsigned int i = 0; i < 3; i++)
		pace_note(&pace, pace_choose(&pace), 2 * MIB, 240000);
	cr_assert_geq(run_copies(&pace, 100, 40000, 60000), 85);
}

/* The first shared copy after a pause is slow, because helpers wake up during it. */
Test(pace, a_slow_start_does_not_hide_what_sharing_is_worth)
{
	unsigned int variant, before = PACE_ALONE;
	struct pace pace = {0};
	unsigned int nr_shared = 0;

	run_copies(&pace, 1000, 300000, 100000);
	for (unsigned int i = 0; i < 2000; i++) {
		variant = pace_choose(&pace);
		pace_note(&pace, variant, MIB,
			  variant == PACE_ALONE  ? 100000
			  : before == PACE_ALONE ? 300000
						 : 40000);
		nr_shared += variant == PACE_SHARED;
		before = variant;
	}
	cr_assert_geq(nr_shared, 1700);
}

Test(pace, odd_values)
{
	struct pace pace = {0};

	pace_note(&pace, PACE_SHARED, 0, 0);
	pace_note(&pace, PACE_ALONE, 1UL << 40, 1);
	pace_note(&pace, PACE_ALONE, 1, 1UL << 40);
	cr_assert_leq(pace_choose(&pace), PACE_ALONE);
}
