// SPDX-License-Identifier: LGPL-2.1-or-later
/* Hands out frames and slots of a pool, and takes them back. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/vault.h"
#include "copy/kernels.h"
#include "lib/nodes/memory_room.h"
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
 * Extents of address space beyond twice the cap. Increasing this costs address space; with too few,
 * none may be left for the slots of all lanes.
 */
#define SPARE_EXTENTS 96
/* A pool takes at most this share of the address space that RLIMIT_AS leaves. */
#define ADDRESS_SHARE 16
#define MIN_EXTENTS   4

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

int pool_take_slot(struct pool *pool, unsigned int nr_pages, struct span *out)
{
	return pool_take_locked(pool, nr_pages, false, out) ? 0 : -EAGAIN;
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

int pool_take_frames(struct pool *pool, unsigned int nr_pages, uint64_t stamp, struct span *out)
{
	struct page_map all;

	while (pool_take_locked(pool, nr_pages, true, out)) {
		if (span_in_place(pool, out, stamp))
			return 0;
		memset(&all, 0xff, sizeof(all));
		pool_distrust(pool, out);
		pool_put(pool, out, &all, stamp);
	}
	return -EAGAIN;
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

/* How many extents are added at once, at most. Other lanes may take bays meanwhile. */
#define GROW_TRIES 64

/* How many bays of new frames are wanted besides those that are full or being filled. */
static uint64_t pool_missing_bays(struct pool *pool, uint64_t nr_wanted, unsigned int nr_full)
{
	uint64_t filling;

	futex_lock(&pool->lock);
	filling = pool->nr_filling / PAGES_PER_HUGE;
	futex_unlock(&pool->lock);
	return nr_wanted > nr_full + filling ? nr_wanted - nr_full - filling : 1;
}

int pool_make_frames_ready(struct pool *pool, unsigned int nr_bays, uint64_t nr_wanted_bays,
			   uint64_t stamp, uint64_t *nr_made)
{
	unsigned int nr_full = pool_count_bays(pool, BAYS_FULL, nr_bays);
	int err = 0;

	for (unsigned int tries = 0; !err && nr_full < nr_bays && tries < GROW_TRIES; tries++) {
		uint64_t missing = pool_missing_bays(pool, nr_wanted_bays, nr_full);

		err = extent_add_frames(pool, missing, stamp, nr_made);
		nr_full = pool_count_bays(pool, BAYS_FULL, nr_bays);
	}
	return nr_full ? 0 : -ENOMEM;
}

int pool_make_slots_ready(struct pool *pool, unsigned int nr_bays)
{
	unsigned int nr_empty = pool_count_bays(pool, BAYS_EMPTY, nr_bays);
	int err = 0;

	for (unsigned int tries = 0; !err && nr_empty < nr_bays && tries < GROW_TRIES; tries++) {
		err = extent_add_slots(pool);
		nr_empty = pool_count_bays(pool, BAYS_EMPTY, nr_bays);
	}
	return nr_empty ? 0 : -ENOMEM;
}

static uint64_t pool_held_pages(struct pool *pool)
{
	uint64_t held;

	futex_lock(&pool->lock);
	held = pool->nr_resident + pool->nr_filling;
	futex_unlock(&pool->lock);
	return held;
}

int pool_fill(struct pool *pool, uint64_t bytes, uint64_t stamp)
{
	uint64_t nr_made = 0, nr_pages = bytes / PAGE_BYTES, held;
	int err = 0;

	while (!err && (held = pool_held_pages(pool)) < nr_pages)
		err = extent_add_frames(pool, DIV_ROUND_UP(nr_pages - held, PAGES_PER_HUGE), stamp,
					&nr_made);
	return err;
}

uint64_t pool_held_bytes(struct pool *pool)
{
	uint64_t held = 0;

	if (pool) {
		futex_lock(&pool->lock);
		held = pool->nr_resident;
		futex_unlock(&pool->lock);
	}
	return held * PAGE_BYTES;
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

/* Room for the cap in frames, for as many holes, and some to spare. */
static uint32_t pool_nr_extents(uint64_t cap_bytes)
{
	uint64_t room = memory_room_address_space();
	uint64_t nr = 2 * cap_bytes / EXTENT_BYTES + SPARE_EXTENTS;

	return (uint32_t)MIN(nr, room / ADDRESS_SHARE / EXTENT_BYTES);
}

/* The kernel fills a page of the books in when it is first used. */
static int pool_open_books(struct pool *pool)
{
	void *books;
	int err = vault_reserve(pool_books_bytes(pool), &books);

	if (err)
		return err;
	pool->bays = books;
	pool->extents = (uint8_t *)(pool->bays + (size_t)pool->nr_extents * EXTENT_BAYS);
	return (int)sys(SYS_mprotect, books, ALIGN_UP(pool_books_bytes(pool), PAGE_BYTES),
			PROT_READ | PROT_WRITE);
}

static int pool_open_space(struct pool *pool)
{
	size_t len = (size_t)pool->nr_extents * EXTENT_BYTES;
	size_t skew =
		!pool->huge && cpu_is_emulated() ? (size_t)pool->node % SKEWS * SKEW_BYTES : 0;
	void *space;
	int err = vault_reserve(len + skew, &space);

	if (err)
		return err;
	pool->space = space;
	pool->space_bytes = len + skew;
	pool->base = (uintptr_t)space + skew;
	return extent_advise(pool, pool->base, len);
}

int pool_open(struct pool *pool, int node, bool huge, const struct memory_blocks *blocks, int uffd,
	      uint64_t cap_bytes)
{
	int err;

	*pool = (struct pool){
		.node = node,
		.huge = huge,
		.blocks = blocks,
		.uffd = uffd,
		.cap_pages = cap_bytes / PAGE_BYTES,
		.nr_extents = pool_nr_extents(cap_bytes),
		.heads = {NO_BAY, NO_BAY, NO_BAY, NO_BAY},
	};
	if (pool->nr_extents < MIN_EXTENTS)
		return -ENOMEM;
	err = pool_open_books(pool);
	if (!err)
		err = pool_open_space(pool);
	if (err)
		pool_close(pool);
	return err;
}

/* Where a mapping of the pool was lost, other memory of the program may be. */
static bool pool_lost_extents(const struct pool *pool)
{
	for (uint32_t i = 0; i < pool->nr_used_extents; i++)
		if (pool->extents[i] == EXTENT_LOST)
			return true;
	return false;
}

void pool_close(struct pool *pool)
{
	/* If this fails, leak the range: munmap would wait for an event that is never read. */
	if (pool->space && !pool_lost_extents(pool) &&
	    !uffd_unregister(pool->uffd, pool->base, (size_t)pool->nr_extents * EXTENT_BYTES))
		vault_unreserve(pool->space, pool->space_bytes);
	if (pool->bays)
		vault_unreserve(pool->bays, pool_books_bytes(pool));
	*pool = (struct pool){0};
}
