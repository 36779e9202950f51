// SPDX-License-Identifier: LGPL-2.1-or-later
/* A pool's books against a model of what each span holds. A hook stands for the kernel. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "lib/pool/pool.h"

#define CAP_BYTES (4 * EXTENT_BYTES)
#define MAX_SPANS 64

/* Frames and registration always succeed: these tests touch no page. */
static bool kernel_stub(long nr, const long args[6] __maybe_unused, long *ret)
{
	*ret = 0;
	return nr == SYS_ioctl || nr == SYS_madvise;
}

static struct pool pool;

static void pool_setup(void)
{
	__atomic_store_n(&sys_hook, kernel_stub, __ATOMIC_RELEASE);
	cr_assert_eq(pool_open(&pool, 0, false, NULL, -1, CAP_BYTES), 0);
}

static void pool_teardown(void)
{
	pool_close(&pool);
	__atomic_store_n(&sys_hook, NULL, __ATOMIC_RELEASE);
}

struct held {
	struct span span;
	bool frames;
};

static bool spans_overlap(const struct span *a, const struct span *b)
{
	return a->addr < b->addr + b->nr_pages * PAGE_BYTES &&
	       b->addr < a->addr + a->nr_pages * PAGE_BYTES;
}

/* An exchange returns slots with frames in them, and frames as holes. */
static void span_put_back(struct held *held, bool exchanged)
{
	struct page_map resident = {0};

	if (held->frames != exchanged)
		map_set_range(&resident, 0, held->span.nr_pages);
	pool_put(&pool, &held->span, &resident, 1);
}

Test(pool, spans_never_overlap_and_frames_are_counted, .init = pool_setup, .fini = pool_teardown)
{
	struct held held[MAX_SPANS];
	uint64_t nr_made = 0, frames;
	unsigned int nr = 0;

	srand(5);
	cr_assert_eq(pool_fill(&pool, EXTENT_BYTES, 1), 0);
	frames = pool_held_bytes(&pool) / PAGE_BYTES;
	for (int round = 0; round < 20000; round++) {
		struct held *new = &held[nr];
		unsigned int pages =
			rand() % 3 ? 1 + (unsigned int)rand() % PAGES_PER_HUGE : PAGES_PER_HUGE;
		uint64_t made = 0;

		if (nr == MAX_SPANS || (nr && rand() & 1)) {
			unsigned int i = (unsigned int)rand() % nr;
			bool exchanged = rand() & 1;

			span_put_back(&held[i], exchanged);
			if (exchanged)
				frames += held[i].frames ? -(uint64_t)held[i].span.nr_pages
							 : held[i].span.nr_pages;
			held[i] = held[--nr];
			continue;
		}
		new->frames = rand() & 1;
		if (new->frames ? pool_take_frames(&pool, pages, 1, true, &new->span, &made)
				: pool_take_slot(&pool, pages, true, &new->span))
			continue;
		nr_made += made;
		cr_assert_eq(new->span.nr_pages, pages);
		cr_assert_eq(new->span.addr / HUGE_BYTES,
			     (new->span.addr + pages *PAGE_BYTES - 1) / HUGE_BYTES,
			     "a span lies in one bay");
		for (unsigned int i = 0; i < nr; i++)
			cr_assert_not(spans_overlap(&held[i].span, &new->span));
		nr++;
	}
	while (nr)
		span_put_back(&held[--nr], false);
	cr_assert_eq(pool_held_bytes(&pool) / PAGE_BYTES, frames + nr_made - pool.nr_freed);
	pool_trim(&pool, 0);
	cr_assert_eq(pool_held_bytes(&pool), 0);
}

Test(pool, cap_is_kept, .init = pool_setup, .fini = pool_teardown)
{
	struct span span;
	uint64_t made = 0;

	while (!pool_take_frames(&pool, PAGES_PER_HUGE, 1, true, &span, &made))
		;
	cr_assert_leq(pool_held_bytes(&pool), CAP_BYTES);
	cr_assert_eq(made * PAGE_BYTES, pool_held_bytes(&pool));
	cr_assert_neq(pool_fill(&pool, 2 * CAP_BYTES, 1), 0);
}

Test(pool, trim_spares_what_is_handed_out, .init = pool_setup, .fini = pool_teardown)
{
	struct page_map all = {0};
	uint64_t made = 0;
	struct span span;

	map_set_range(&all, 0, 100);
	cr_assert_eq(pool_take_frames(&pool, 100, 1, true, &span, &made), 0);
	pool_trim(&pool, 0);
	cr_assert_gt(pool_held_bytes(&pool), 0);
	pool_put(&pool, &span, &all, 1);
	pool_trim(&pool, 0);
	cr_assert_eq(pool_held_bytes(&pool), 0);
	cr_assert_eq(pool_held_bytes(NULL), 0);
}

Test(pool, grows_only_where_it_may, .init = pool_setup, .fini = pool_teardown)
{
	struct page_map all;
	uint64_t made = 0;
	struct span frames, slot;

	memset(&all, 0xff, sizeof(all));
	cr_assert_eq(pool_take_frames(&pool, PAGES_PER_HUGE, 1, false, &frames, &made), -EAGAIN);
	cr_assert_eq(pool_take_slot(&pool, PAGES_PER_HUGE, false, &slot), -EAGAIN);
	cr_assert_eq(made + pool_held_bytes(&pool), 0);
	pool_make_ready(&pool, 3, 5, 1, &made);
	cr_assert_geq(made, 3 * PAGES_PER_HUGE);
	cr_assert_eq(made * PAGE_BYTES, pool_held_bytes(&pool));
	for (int i = 0; i < 3; i++)
		cr_assert_eq(pool_take_frames(&pool, PAGES_PER_HUGE, 1, false, &frames, &made), 0);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(pool_take_slot(&pool, PAGES_PER_HUGE, false, &slot), 0);
	pool_put(&pool, &frames, &all, 1);
	pool_make_ready(&pool, 1, 0, 1, &made);
	cr_assert_eq(made * PAGE_BYTES, pool_held_bytes(&pool), "the pool holds enough already");
}

Test(pool, made_ready_within_the_cap, .init = pool_setup, .fini = pool_teardown)
{
	uint64_t made = 0;

	pool_make_ready(&pool, 10000, 0, 1, &made);
	cr_assert_leq(pool_held_bytes(&pool), CAP_BYTES);
	cr_assert_eq(made * PAGE_BYTES, pool_held_bytes(&pool));
}
