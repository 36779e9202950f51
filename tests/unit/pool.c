// SPDX-License-Identifier: LGPL-2.1-or-later
/* A pool's books against a model of what each span holds. A hook stands for the kernel. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
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

static int take_frames(unsigned int nr_pages, struct span *out, uint64_t *nr_made)
{
	int err = 0;

	while (!err && pool_take_frames(&pool, nr_pages, 1, out))
		err = pool_make_frames_ready(&pool, 1, EXTENT_BAYS, 1, nr_made);
	return err;
}

static int take_slot(unsigned int nr_pages, struct span *out)
{
	int err = 0;

	while (!err && pool_take_slot(&pool, nr_pages, out))
		err = pool_make_slots_ready(&pool, 1);
	return err;
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
		if (new->frames ? take_frames(pages, &new->span, &made)
				: take_slot(pages, &new->span))
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

	while (!take_frames(PAGES_PER_HUGE, &span, &made))
		;
	cr_assert_leq(pool_held_bytes(&pool), CAP_BYTES);
	cr_assert_eq(made * PAGE_BYTES, pool_held_bytes(&pool));
	cr_assert_neq(pool_fill(&pool, 2 * CAP_BYTES, 1), 0);
}

/* Pages of another node leave their frames here: a job far larger than the cap. */
Test(pool, frames_left_behind_are_within_the_cap, .init = pool_setup, .fini = pool_teardown)
{
	struct page_map all;
	struct span slot;

	memset(&all, 0xff, sizeof(all));
	for (uint64_t moved = 0; moved < 100 * CAP_BYTES; moved += HUGE_BYTES) {
		cr_assert_eq(take_slot(PAGES_PER_HUGE, &slot), 0);
		pool_put(&pool, &slot, &all, 1);
		cr_assert_leq(pool_held_bytes(&pool), CAP_BYTES + EXTENT_BYTES);
	}
	cr_assert_gt(pool.nr_freed, 0);
}

/* Slots that are in use are not freed, so the pool holds what is in flight besides. */
Test(pool, slots_in_use_outlast_the_cap, .init = pool_setup, .fini = pool_teardown)
{
	static struct span slots[2 * CAP_BYTES / HUGE_BYTES];
	struct page_map all;

	memset(&all, 0xff, sizeof(all));
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		cr_assert_eq(take_slot(PAGES_PER_HUGE, &slots[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		pool_put(&pool, &slots[i], &all, 1);
	cr_assert_eq(pool_held_bytes(&pool), 2 * CAP_BYTES);
	cr_assert_eq(take_slot(PAGES_PER_HUGE, &slots[0]), 0);
	cr_assert_lt(pool_held_bytes(&pool), 2 * CAP_BYTES);
}

Test(pool, trim_spares_what_is_handed_out, .init = pool_setup, .fini = pool_teardown)
{
	struct page_map all = {0};
	uint64_t made = 0;
	struct span span;

	map_set_range(&all, 0, 100);
	cr_assert_eq(take_frames(100, &span, &made), 0);
	pool_trim(&pool, 0);
	cr_assert_gt(pool_held_bytes(&pool), 0);
	pool_put(&pool, &span, &all, 1);
	pool_trim(&pool, 0);
	cr_assert_eq(pool_held_bytes(&pool), 0);
	cr_assert_eq(pool_held_bytes(NULL), 0);
}

Test(pool, only_making_ready_allocates, .init = pool_setup, .fini = pool_teardown)
{
	struct page_map all;
	uint64_t made = 0;
	struct span frames, slot;

	memset(&all, 0xff, sizeof(all));
	cr_assert_eq(pool_take_frames(&pool, PAGES_PER_HUGE, 1, &frames), -EAGAIN);
	cr_assert_eq(pool_take_slot(&pool, PAGES_PER_HUGE, &slot), -EAGAIN);
	cr_assert_eq(pool_held_bytes(&pool), 0);
	cr_assert_eq(pool_make_frames_ready(&pool, 3, 3, 1, &made), 0);
	cr_assert_eq(pool_make_slots_ready(&pool, 5), 0);
	cr_assert_eq(made, 3 * PAGES_PER_HUGE, "no more than the job needs");
	cr_assert_eq(made * PAGE_BYTES, pool_held_bytes(&pool));
	for (int i = 0; i < 3; i++)
		cr_assert_eq(pool_take_frames(&pool, PAGES_PER_HUGE, 1, &frames), 0);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(pool_take_slot(&pool, PAGES_PER_HUGE, &slot), 0);
	pool_put(&pool, &frames, &all, 1);
	cr_assert_eq(pool_make_frames_ready(&pool, 1, 1, 1, &made), 0);
	cr_assert_eq(made * PAGE_BYTES, pool_held_bytes(&pool), "the pool holds enough already");
}

/* More than an extent of slots, or of frames at the cap: extents that gain nothing are left alone.
 */
Test(pool, many_are_made_ready, .init = pool_setup, .fini = pool_teardown, .timeout = 60)
{
	struct page_map some = {0}, all;
	uint64_t made = 0;
	struct span span, slots[3 * EXTENT_BAYS];

	memset(&all, 0xff, sizeof(all));
	map_set_range(&some, 0, 300);
	cr_assert_eq(pool_make_slots_ready(&pool, 1), 0);
	cr_assert_eq(pool_make_slots_ready(&pool, ARRAY_SIZE(slots)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		cr_assert_eq(pool_take_slot(&pool, PAGES_PER_HUGE, &slots[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		pool_put(&pool, &slots[i], i % EXTENT_BAYS ? &all : &some, 1);
	cr_assert_eq(pool_make_frames_ready(&pool, 1000, 1000, 1, &made), 0);
	cr_assert_leq(pool_held_bytes(&pool), CAP_BYTES);
	cr_assert_eq(pool_take_frames(&pool, PAGES_PER_HUGE, 1, &span), 0);
}

Test(pool, made_ready_within_the_cap, .init = pool_setup, .fini = pool_teardown)
{
	uint64_t made = 0;

	cr_assert_eq(pool_make_frames_ready(&pool, 10000, 10000, 1, &made), 0);
	cr_assert_leq(pool_held_bytes(&pool), CAP_BYTES);
	cr_assert_eq(made * PAGE_BYTES, pool_held_bytes(&pool));
}

/* A job larger than what the jobs so far have needed makes the pool grow, a smaller one does not.
 */
Test(pool, holds_what_jobs_need, .init = pool_setup, .fini = pool_teardown)
{
	static _Atomic uint64_t need_pages = 2 * PAGES_PER_HUGE;
	struct page_map some = {0};
	uint64_t made = 0;
	struct span span;

	pool.need_pages = &need_pages;
	map_set_range(&some, 0, 300);
	/* Each time, the frames come back in pieces that are too small for a whole chunk. */
	for (int round = 0; round < 100; round++) {
		cr_assert_eq(take_frames(PAGES_PER_HUGE, &span, &made), 0);
		pool_put(&pool, &span, &some, 1);
		cr_assert_leq(pool_held_bytes(&pool), EXTENT_BYTES + 2 * HUGE_BYTES);
	}
}

/* Which bays a pool of huge frames hands out after one of them came apart and was emptied. */
Test(pool, huge_bays_recover, .init = pool_setup, .fini = pool_teardown)
{
	struct page_map none = {0};
	struct span spans[EXTENT_BAYS];

	pool.huge = true;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < EXTENT_BAYS; i++)
			cr_assert_eq(take_slot(PAGES_PER_HUGE, &spans[i]), 0);
		for (int i = 0; i < EXTENT_BAYS; i++) {
			pool_distrust(&pool, &spans[i]);
			pool_put(&pool, &spans[i], &none, 1);
		}
		cr_assert_eq(pool.nr_used_extents, 1, "the extent is used again");
	}
}

/* ---- frames that someone else moves ---- */

static const struct memory_blocks blocks = {.nr_runs = 0};
static atomic_int frames_node;
static atomic_uint nr_looks;

/* All pages are on frames_node. */
static bool nodes_stub(long nr, const long args[6], long *ret)
{
	int *status = (int *)args[4];

	*ret = 0;
	if (nr == SYS_move_pages) {
		atomic_fetch_add(&nr_looks, 1);
		for (long i = 0; i < args[1]; i++)
			status[i] = atomic_load(&frames_node);
		return true;
	}
	return nr == SYS_mbind || kernel_stub(nr, args, ret);
}

static void nodes_setup(void)
{
	atomic_store(&frames_node, 0);
	__atomic_store_n(&sys_hook, nodes_stub, __ATOMIC_RELEASE);
	cr_assert_eq(pool_open(&pool, 0, false, &blocks, -1, CAP_BYTES), 0);
}

Test(pool, frames_that_were_moved_are_not_used, .init = nodes_setup, .fini = pool_teardown)
{
	struct page_map all;
	struct span span;
	uint64_t made = 0;

	memset(&all, 0xff, sizeof(all));
	cr_assert_eq(pool_make_frames_ready(&pool, 2, 2, 7, &made), 0);
	atomic_store(&nr_looks, 0);
	cr_assert_eq(pool_take_frames(&pool, PAGES_PER_HUGE, 7, &span), 0);
	cr_assert_eq(atomic_load(&nr_looks), 0, "nothing has migrated since");
	pool_put(&pool, &span, &all, 7);
	cr_assert_eq(pool_take_frames(&pool, PAGES_PER_HUGE, 8, &span), 0);
	cr_assert_eq(atomic_load(&nr_looks), 1, "something has, but not these");
	pool_put(&pool, &span, &all, 8);
	atomic_store(&frames_node, 1);
	cr_assert_eq(pool_take_frames(&pool, 100, 9, &span), -EAGAIN, "they are on node 1 now");
	/* The bays that hold them are emptied first, and used again. */
	atomic_store(&frames_node, 0);
	cr_assert_eq(pool_make_frames_ready(&pool, 2, 2, 9, &made), 0);
	cr_assert_eq(pool.nr_used_extents, 1);
	cr_assert_eq(pool_held_bytes(&pool), 2 * HUGE_BYTES);
	cr_assert_eq(pool_take_frames(&pool, 100, 9, &span), 0);
}

/* Memory that the node does not have is not counted as frames, and not kept. */
Test(pool, frames_of_another_node_are_not_kept, .init = nodes_setup, .fini = pool_teardown)
{
	uint64_t made = 0;

	atomic_store(&frames_node, 1);
	cr_assert_eq(pool_make_frames_ready(&pool, 1, 1, 1, &made), -ENOMEM);
	cr_assert_eq(pool_held_bytes(&pool) + made, 0);
}
