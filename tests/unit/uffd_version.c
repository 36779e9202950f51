// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which kernels have the features that their version decides. */
#include <criterion/criterion.h>

#include "base/base.h"
#include "base/kernel.h"

Test(uffd_version, table)
{
	static const struct {
		int version[3];
		bool safe;
	} table[] = {
		{{5, 15, 200}, false}, {{6, 1, 140}, false}, {{6, 8, 0}, false},
		{{6, 11, 11}, false},  {{6, 12, 0}, false},  {{6, 12, 42}, false},
		{{6, 12, 43}, true},   {{6, 12, 90}, true},  {{6, 13, 12}, false},
		{{6, 14, 11}, false},  {{6, 15, 11}, false}, {{6, 16, 0}, true},
		{{6, 17, 0}, true},    {{6, 18, 44}, true},  {{7, 0, 0}, true},
		{{7, 2, 1}, true},     {{10, 0, 0}, true},   {{0, 0, 0}, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		cr_expect_eq(kernel_version_has(table[i].version, KERNEL_SAFE_MOVE), table[i].safe,
			     "%d.%d.%d", table[i].version[0], table[i].version[1],
			     table[i].version[2]);
}

static bool unmaps_in_batches(int major, int minor, int patch)
{
	return kernel_version_has((const int[]){major, minor, patch}, KERNEL_BATCHED_UNMAP);
}

Test(uffd_version, since)
{
	cr_assert(unmaps_in_batches(6, 3, 0));
	cr_assert(unmaps_in_batches(7, 0, 0));
	cr_assert_not(unmaps_in_batches(6, 2, 99));
	cr_assert_not(unmaps_in_batches(5, 15, 0));
	cr_assert_not(unmaps_in_batches(0, 0, 0), "an unknown version");
}
