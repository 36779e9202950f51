// SPDX-License-Identifier: LGPL-2.1-or-later
/* A huge page is named once only if all its small pages go to one node. The kernel is simulated. */
#include <criterion/criterion.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "base/vault.h"
#include "lib/kernel/thp_dedup.h"

#define AT (1UL << 40)

static struct lane *lane;

/* Every page is part of a huge page. */
static bool all_is_huge(long nr, const long args[6], long *ret)
{
	struct pm_scan_arg *arg = (struct pm_scan_arg *)args[2];

	if (nr != SYS_ioctl || (unsigned int)args[1] != (unsigned int)PAGEMAP_SCAN)
		return false;
	*(struct page_region *)arg->vec = (struct page_region){
		.start = arg->start,
		.end = arg->end,
		.categories = PAGE_IS_PRESENT | PAGE_IS_HUGE,
	};
	arg->walk_end = arg->end;
	*ret = 1;
	return true;
}

static void set_up(void)
{
	cr_assert_eq(vault_alloc(sizeof(*lane), (void **)&lane), 0);
	for (unsigned int i = 0; i < PAGES_PER_HUGE; i++) {
		lane->fallback.pages[i] = AT + i * PAGE_BYTES;
		lane->fallback.nodes[i] = 1;
	}
	lane->fallback.nr = PAGES_PER_HUGE;
	sys_hook = all_is_huge;
}

TestSuite(thp_dedup, .init = set_up);

Test(thp_dedup, a_whole_huge_page_is_named_once)
{
	slice_fill_deduped(lane);
	cr_assert_eq(lane->slice.nr_pages, 1U);
	cr_assert_eq(lane->slice.pages[0], (void *)AT);
}

Test(thp_dedup, a_page_with_another_destination_keeps_all_names)
{
	for (unsigned int odd = 1; odd < PAGES_PER_HUGE; odd += 170) {
		lane->fallback.nodes[odd] = 0;
		slice_fill_deduped(lane);
		cr_assert_eq(lane->slice.nr_pages, PAGES_PER_HUGE, "page %u", odd);
		lane->fallback.nodes[odd] = 1;
	}
}

Test(thp_dedup, a_gap_keeps_all_names)
{
	lane->fallback.pages[300] = AT + HUGE_BYTES;
	slice_fill_deduped(lane);
	cr_assert_eq(lane->slice.nr_pages, PAGES_PER_HUGE);
}

Test(thp_dedup, a_huge_page_that_begins_elsewhere_keeps_all_names)
{
	for (unsigned int i = 0; i < PAGES_PER_HUGE; i++)
		lane->fallback.pages[i] += PAGE_BYTES;
	slice_fill_deduped(lane);
	cr_assert_eq(lane->slice.nr_pages, PAGES_PER_HUGE);
}
