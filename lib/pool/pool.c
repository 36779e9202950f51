// SPDX-License-Identifier: LGPL-2.1-or-later
/* Hands out frames and slots of a pool, and takes them back. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/vault.h"
#include "copy/kernels.h"
#include "lib/nodes/page_nodes.h"
#include "lib/pool/bays.h"
#include "lib/pool/extents.h"
#include "lib/uffd/uffd.h"

/*
 * Under emulation, pools of small frames begin at different offsets within 2 MiB. The emulator's
 * translation cache is direct-mapped: a copy between pages whose addresses differ in high bits only
 * would miss it with every turn from one page to the other. On hardware all pools begin at a
 * multiple of 2 MiB, so that a chunk lies in one page table and one flush removes its TLB entries.
 */
#define SKEW_BYTES (64UL << 10)
#define SKEWS      16

/*
 * Extents of address space beyond twice the cap. Increasing this costs address space and books;
 * with too few, none may be left for slots while others are being filled or emptied.
 */
#define SPARE_EXTENTS 32

/* ---- handing out and taking back ---- */

static void bay_free_pages(const struct bay *bay, bool resident, struct page_map *out)
{
	for (unsigned int i = 0; i < PAGE_MAP_WORDS; i++) {
		uint64_t held = bay->resident.word[i];

		out->word[i] = (resident ? held : ~held) & ~bay->reserved.word[i];
	}
}

static bool bay_take(struct pool *pool, uint32_t index, unsigned int nr_pages, bool resident,
		     struct span *out)
{
	struct bay *bay = &pool->bays[index];
	struct page_map free;
	int first;

	bay_free_pages(bay, resident, &free);
	first = map_find_run(&free, nr_pages);
	if (first < 0)
		return false;
	map_set_range(&bay->reserved, (unsigned int)first, nr_pages);
	bay->nr_reserved += (uint16_t)nr_pages;
	bay_relist(pool, index);
	*out = (struct span){
		.addr = bay_addr(pool, index) + (uintptr_t)first * PAGE_BYTES,
		.bay = index,
		.first = (uint16_t)first,
		.nr_pages = (uint16_t)nr_pages,
	};
	return true;
}

/*
 * How many mixed bays a search looks at. More tries fill bays better; fewer keep a long list of
 * bays with short runs from costing more than a fresh bay does.
 */
#define MIXED_TRIES 8

static bool pool_take(struct pool *pool, unsigned int nr_pages, bool resident, struct span *out)
{
	uint32_t whole = pool->heads[resident ? BAYS_FULL : BAYS_EMPTY];
	uint32_t mixed = pool->heads[BAYS_MIXED];

	if (nr_pages < PAGES_PER_HUGE) {
		for (int tries = 0; mixed != NO_BAY && tries < MIXED_TRIES; tries++) {
			uint32_t next = pool->bays[mixed].next;

			if (bay_take(pool, mixed, nr_pages, resident, out))
				return true;
			mixed = next;
		}
	}
	return whole != NO_BAY && bay_take(pool, whole, nr_pages, resident, out);
}

static bool pool_take_locked(struct pool *pool, unsigned int nr_pages, bool resident,
			     struct span *out)
{
	bool took;

	futex_lock(&pool->lock);
	took = pool_take(pool, nr_pages, resident, out);
	futex_unlock(&pool->lock);
	return took;
}

int pool_take_slot(struct pool *pool, unsigned int nr_pages, bool may_grow, struct span *out)
{
	while (!pool_take_locked(pool, nr_pages, false, out)) {
		int err = may_grow ? extent_add(pool, 0, 0) : -EAGAIN;

		if (err)
			return err;
	}
	return 0;
}

/* True if the span's frames are still on the pool's node. */
static bool span_in_place(struct pool *pool, const struct span *span, uint64_t stamp)
{
	/* A huge frame is on one node as a whole, so its first page is enough. */
	unsigned int nr_pages = pool->huge ? 1 : span->nr_pages;
	struct page_map here;

	if (!pool->blocks || (stamp && pool->bays[span->bay].stamp == stamp))
		return true;
	memset(&here, 0, sizeof(here));
	page_nodes_match(pool->blocks, span->addr, nr_pages, pool->node, &here);
	return map_count(&here) == nr_pages;
}

int pool_take_frames(struct pool *pool, unsigned int nr_pages, uint64_t stamp, bool may_grow,
		     struct span *out, uint64_t *nr_made)
{
	struct page_map all;
	int err;

	for (;;) {
		while (!pool_take_locked(pool, nr_pages, true, out)) {
			err = may_grow ? extent_add_filled(pool, stamp, nr_made) : -EAGAIN;
			if (err)
				return err;
		}
		if (span_in_place(pool, out, stamp))
			return 0;
		memset(&all, 0xff, sizeof(all));
		pool_distrust(pool, out);
		pool_put(pool, out, &all, stamp);
	}
}

static unsigned int pool_count_bays(struct pool *pool, enum bay_list list, unsigned int most)
{
	unsigned int nr = 0;

	futex_lock(&pool->lock);
	for (uint32_t i = pool->heads[list]; i != NO_BAY && nr < most; i = pool->bays[i].next)
		nr++;
	futex_unlock(&pool->lock);
	return nr;
}

void pool_make_ready(struct pool *pool, unsigned int nr_frame_bays, unsigned int nr_hole_bays,
		     uint64_t stamp, uint64_t *nr_made)
{
	int err = 0;

	while (!err && pool_count_bays(pool, BAYS_FULL, nr_frame_bays) < nr_frame_bays)
		err = extent_add_filled(pool, stamp, nr_made);
	err = 0;
	while (!err && pool_count_bays(pool, BAYS_EMPTY, nr_hole_bays) < nr_hole_bays)
		err = extent_add(pool, 0, 0);
}

void pool_put(struct pool *pool, const struct span *span, const struct page_map *resident,
	      uint64_t stamp)
{
	struct bay *bay = &pool->bays[span->bay];
	unsigned int before;

	futex_lock(&pool->lock);
	before = bay->nr_resident;
	map_clear_range(&bay->reserved, span->first, span->nr_pages);
	bay->nr_reserved -= span->nr_pages;
	map_clear_range(&bay->resident, span->first, span->nr_pages);
	for (unsigned int i = 0; i < span->nr_pages;) {
		unsigned int start = map_next(resident, i, span->nr_pages, true);
		unsigned int end = map_next(resident, start, span->nr_pages, false);

		map_set_range(&bay->resident, span->first + start, end - start);
		i = end;
	}
	bay->nr_resident = (uint16_t)map_count(&bay->resident);
	/* Of frames that were looked up at different times, the oldest stamp counts. */
	bay->stamp = before && bay->stamp != stamp && bay->nr_resident != span->nr_pages
			     ? MIN(bay->stamp, stamp)
			     : stamp;
	pool->nr_resident += bay->nr_resident;
	pool->nr_resident -= before;
	bay_relist(pool, span->bay);
	futex_unlock(&pool->lock);
}

void pool_distrust(struct pool *pool, const struct span *span)
{
	futex_lock(&pool->lock);
	pool->bays[span->bay].broken = true;
	futex_unlock(&pool->lock);
}

bool pool_contains(const struct pool *pool, uintptr_t addr)
{
	return addr - pool->base < (uintptr_t)pool->nr_extents * EXTENT_BYTES;
}

/* ---- opening and closing ---- */

static size_t pool_books_bytes(const struct pool *pool)
{
	return (size_t)pool->nr_extents * (EXTENT_BAYS * sizeof(struct bay) + sizeof(uint8_t));
}

int pool_open(struct pool *pool, int node, bool huge, const struct memory_blocks *blocks, int uffd,
	      uint64_t cap_bytes)
{
	void *space, *books;
	size_t len, skew;
	int err;

	*pool = (struct pool){
		.node = node,
		.huge = huge,
		.blocks = blocks,
		.uffd = uffd,
		.cap_pages = cap_bytes / PAGE_BYTES,
		/* Room for the cap in frames, for as many holes, and some to spare. */
		.nr_extents = (uint32_t)(2 * cap_bytes / EXTENT_BYTES) + SPARE_EXTENTS,
		.heads = {NO_BAY, NO_BAY, NO_BAY},
	};
	len = (size_t)pool->nr_extents * EXTENT_BYTES;
	skew = !huge && cpu_is_emulated() ? (size_t)node % SKEWS * SKEW_BYTES : 0;
	err = vault_reserve(pool_books_bytes(pool), &books);
	if (err)
		return err;
	pool->bays = books;
	pool->extents = (uint8_t *)(pool->bays + (size_t)pool->nr_extents * EXTENT_BAYS);
	for (uint32_t i = 0; i < pool->nr_extents * EXTENT_BAYS; i++)
		pool->bays[i].list = BAYS_NONE;
	err = vault_reserve(len + skew, &space);
	if (err) {
		pool_close(pool);
		return err;
	}
	pool->space = space;
	pool->base = (uintptr_t)space + skew;
	err = extent_advise(pool, pool->base, len);
	if (err)
		pool_close(pool);
	return err;
}

void pool_close(struct pool *pool)
{
	size_t len = (size_t)pool->nr_extents * EXTENT_BYTES;

	/* If this fails, leak the range: munmap would wait for an event that is never read. */
	if (pool->space && !uffd_unregister(pool->uffd, pool->base, len))
		vault_unreserve(pool->space, len + (pool->base - (uintptr_t)pool->space));
	vault_unreserve(pool->bays, pool_books_bytes(pool));
	*pool = (struct pool){0};
}
