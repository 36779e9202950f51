// SPDX-License-Identifier: LGPL-2.1-or-later
#include <criterion/criterion.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/apart.h"
#include "base/base.h"
#include "base/sys.h"

static uintptr_t map_apart(size_t len_bytes)
{
	long addr =
		apart_mmap(len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert(!sys_is_error(addr));
	return (uintptr_t)addr;
}

Test(apart, is_far_from_the_program)
{
	uintptr_t theirs =
		(uintptr_t)mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t ours = map_apart(PAGE_BYTES);

	cr_assert_gt(theirs, ours);
	cr_assert_gt(theirs - ours, 32UL << 30);
}

Test(apart, takes_no_place_twice)
{
	uintptr_t first = map_apart(3 * PAGE_BYTES), second = map_apart(1);

	cr_assert(second + PAGE_BYTES <= first || second >= first + 3 * PAGE_BYTES);
}

Test(apart, passes_over_what_is_taken)
{
	uintptr_t ours = map_apart(PAGE_BYTES), next;
	void *taken = mmap((void *)(ours - 8 * PAGE_BYTES), 8 * PAGE_BYTES, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	cr_assert_neq(taken, MAP_FAILED);
	next = map_apart(PAGE_BYTES);
	cr_assert_lt(next, (uintptr_t)taken);
	cr_assert_gt(ours - next, 8 * PAGE_BYTES);
}

Test(apart, leaves_a_crowded_place_to_the_kernel)
{
	uintptr_t ours = map_apart(PAGE_BYTES), next;
	void *taken =
		mmap((void *)(ours - (1UL << 30)), 1UL << 30, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

	cr_assert_neq(taken, MAP_FAILED);
	next = map_apart(PAGE_BYTES);
	cr_assert(next < (uintptr_t)taken || next >= ours);
}

Test(apart, wraps_around)
{
	for (unsigned int i = 0; i < 32; i++) {
		uintptr_t addr = (uintptr_t)apart_mmap(
			100UL << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		cr_assert(!sys_is_error((long)addr));
		cr_assert_eq(munmap((void *)addr, 100UL << 30), 0);
	}
}
