// SPDX-License-Identifier: LGPL-2.1-or-later
#include <criterion/criterion.h>

#include "lib/exchange/range_list.h"

Test(range_list, overlaps_what_was_added)
{
	struct range_list list = {0};

	cr_assert_not(range_list_overlaps(&list, 0, UINTPTR_MAX));
	range_list_add(&list, 0x3000, 0x5000);
	range_list_add(&list, 0x8000, 0x9000);
	cr_assert(range_list_overlaps(&list, 0x4000, 0x4001));
	cr_assert(range_list_overlaps(&list, 0x1000, 0x3001));
	cr_assert(range_list_overlaps(&list, 0x8fff, 0xa000));
	cr_assert_not(range_list_overlaps(&list, 0x1000, 0x3000));
	cr_assert_not(range_list_overlaps(&list, 0x5000, 0x8000));
	range_list_clear(&list);
	cr_assert_not(range_list_overlaps(&list, 0, UINTPTR_MAX));
}

Test(range_list, ranges_that_touch_become_one)
{
	struct range_list list = {0};

	for (uintptr_t i = 0; i < 1000; i++)
		range_list_add(&list, i * 0x1000, (i + 1) * 0x1000);
	cr_assert_eq(list.nr, 1);
	cr_assert_not(list.full);
	cr_assert(range_list_overlaps(&list, 999 * 0x1000, 1000 * 0x1000));
	cr_assert_not(range_list_overlaps(&list, 1000 * 0x1000, UINTPTR_MAX));
}

Test(range_list, a_full_one_overlaps_everything)
{
	struct range_list list = {0};
	uintptr_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(list.range); i++, at += 0x2000)
		range_list_add(&list, at, at + 0x1000);
	cr_assert_not(range_list_overlaps(&list, at, at + 1));
	range_list_add(&list, at, at + 0x1000);
	cr_assert(list.full);
	cr_assert(range_list_overlaps(&list, at + 0x10000, at + 0x10001));
	range_list_clear(&list);
	cr_assert_not(range_list_overlaps(&list, 0, UINTPTR_MAX));
}
