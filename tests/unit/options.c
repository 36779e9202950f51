// SPDX-License-Identifier: LGPL-2.1-or-later
/* Structures of older and newer programs, and the names of movers and reasons. */
#include <criterion/criterion.h>
#include <errno.h>

#include "include/pageferry.h"
#include "lib/api/options.h"

struct known {
	size_t size;
	uint64_t first, second;
};

struct newer {
	struct known known;
	uint64_t third;
};

Test(options, same_version)
{
	struct known from = {sizeof(from), 1, 2}, to = {0};

	cr_assert_eq(options_copy(&to, sizeof(to), &from), 0);
	cr_assert(to.size == sizeof(from) && to.first == 1 && to.second == 2);
}

Test(options, older_program_leaves_the_rest_zero)
{
	struct known from = {offsetof(struct known, second), 1, 2}, to = {7, 7, 7};

	cr_assert_eq(options_copy(&to, sizeof(to), &from), 0);
	cr_assert(to.first == 1 && to.second == 0);
}

Test(options, newer_program_may_set_no_unknown_member)
{
	struct newer from = {{sizeof(from), 1, 2}, 0};
	struct known to = {0};

	cr_assert_eq(options_copy(&to, sizeof(to), &from), 0);
	cr_assert(to.first == 1 && to.second == 2);
	from.third = 1ULL << 63;
	cr_assert_eq(options_copy(&to, sizeof(to), &from), -E2BIG);
}

Test(options, size_has_to_be_set)
{
	struct known from = {0, 1, 2}, to;

	cr_assert_eq(options_copy(&to, sizeof(to), &from), -EINVAL);
	from.size = sizeof(size_t) - 1;
	cr_assert_eq(options_copy(&to, sizeof(to), &from), -EINVAL);
}

Test(options, names_are_unique)
{
	for (int i = 0; i < FERRY_NR_REASONS; i++)
		for (int k = 0; k < i; k++)
			cr_assert_str_neq(ferry_reason_name((enum ferry_reason)i),
					  ferry_reason_name((enum ferry_reason)k));
	for (int i = 0; i < FERRY_NR_MOVERS; i++)
		cr_assert_str_neq(ferry_mover_name((enum ferry_mover)i), "?");
	cr_assert_str_eq(ferry_mover_name((enum ferry_mover)FERRY_NR_MOVERS), "?");
	cr_assert_str_eq(ferry_reason_name((enum ferry_reason) - 1), "?");
}

Test(options, open_refuses_values_out_of_range)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct ferry *ferry = (struct ferry *)1;

	options.chunk_bytes = 4097;
	cr_assert_eq(ferry_open(&ferry, &options), -EINVAL);
	cr_assert_null(ferry);
	cr_assert(ferry_open_error()[0]);
	options.chunk_bytes = 0;
	options.flags = 1U << 31;
	cr_assert_eq(ferry_open(&ferry, &options), -EINVAL);
	options.flags = 0;
	options.nr_workers = 1000;
	cr_assert_eq(ferry_open(&ferry, &options), -EINVAL);
	options.nr_workers = 1;
	options.engine = "no such engine";
	cr_assert_eq(ferry_open(&ferry, &options), -ENOENT);
	cr_assert(ferry_open_error()[0]);
	options.engine = "cpu:kernel=none-of-them";
	cr_assert_eq(ferry_open(&ferry, &options), -EINVAL);
	options.engine = NULL;
	options.size = 0;
	cr_assert_eq(ferry_open(&ferry, &options), -EINVAL);
}
