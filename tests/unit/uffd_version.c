// SPDX-License-Identifier: LGPL-2.1-or-later
/* In which kernel versions UFFDIO_MOVE is trusted. */
#include <criterion/criterion.h>

#include "base/base.h"
#include "base/kernel.h"
#include "lib/uffd/uffd.h"

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
		cr_expect_eq(uffd_kernel_is_safe(table[i].version), table[i].safe, "%d.%d.%d",
			     table[i].version[0], table[i].version[1], table[i].version[2]);
}

Test(uffd_version, since)
{
	cr_assert(kernel_since((const int[]){6, 3, 0}, 6, 3));
	cr_assert(kernel_since((const int[]){7, 0, 0}, 6, 3));
	cr_assert_not(kernel_since((const int[]){6, 2, 99}, 6, 3));
	cr_assert_not(kernel_since((const int[]){5, 15, 0}, 6, 3));
	cr_assert_not(kernel_since((const int[]){0, 0, 0}, 6, 3), "an unknown version");
}
