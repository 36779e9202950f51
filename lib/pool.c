// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/vault.h"
#include "lib/kernel_mover.h"
#include "lib/nodes.h"
#include "lib/pagemap.h"
#include "lib/pool.h"
#include "lib/uapi.h"
#include "lib/uffd.h"

#define NO_BAY UINT32_MAX

#define SPARE_EXTENTS 32

/* Frames are not taken from a node that has less than this share of its memory free. */
#define LOW_MEMORY_SHARE 32

static uintptr_t bay_addr(const struct pool *pool, uint32_t bay)
{
	return pool->base + (uintptr_t)bay * HUGE_BYTES;
}

/* ---- bay lists (all under the pool's lock) ---- */

static void list_remove(struct pool *pool, uint32_t index)
{
	struct bay *bay = &pool->bays[index];

	if (bay->list == BAYS_NONE)
		return;
	if (bay->prev != NO_BAY)
		pool->bays[bay->prev].next = bay->next;
	else
		pool->heads[bay->list] = bay->next;
	if (bay->next != NO_BAY)
		pool->bays[bay->next].prev = bay->prev;
	bay->list = BAYS_NONE;
}

static void list_add(struct pool *pool, uint32_t index, enum bay_list list)
{
	struct bay *bay = &pool->bays[index];

	bay->prev = NO_BAY;
	bay->next = pool->heads[list];
	if (bay->next != NO_BAY)
		pool->bays[bay->next].prev = index;
	pool->heads[list] = index;
	bay->list = list;
}

static void relist(struct pool *pool, uint32_t index)
{
	struct bay *bay = &pool->bays[index];

	list_remove(pool, index);
	if (bay->broken || pool->extents[index / EXTENT_BAYS] != EXTENT_ACTIVE ||
	    bay->nr_reserved == PAGES_PER_HUGE)
		return;
	if (bay->nr_reserved)
		list_add(pool, index, BAYS_MIXED);
	else if (bay->nr_resident == PAGES_PER_HUGE)
		list_add(pool, index, BAYS_FULL);
	else if (bay->nr_resident == 0)
		list_add(pool, index, BAYS_EMPTY);
	else
		list_add(pool, index, BAYS_MIXED);
}

/* ---- extents ---- */

struct extent_sum {
	unsigned int nr_resident, nr_reserved;
	bool broken;
};

static struct extent_sum extent_sum(const struct pool *pool, uint32_t extent)
{
	struct extent_sum sum = {0};

	for (unsigned int i = 0; i < EXTENT_BAYS; i++) {
		const struct bay *bay = &pool->bays[extent * EXTENT_BAYS + i];

		sum.nr_resident += bay->nr_resident;
		sum.nr_reserved += bay->nr_reserved;
		sum.broken |= bay->broken;
	}
	return sum;
}

/* Takes an extent out of circulation; from then on it is the caller's alone. */
static void extent_claim(struct pool *pool, uint32_t extent)
{
	for (unsigned int i = 0; i < EXTENT_BAYS; i++)
		list_remove(pool, extent * EXTENT_BAYS + i);
	pool->extents[extent] = EXTENT_CHANGING;
}

/* What every part of a pool's address space is told. */
static int advise(const struct pool *pool, uintptr_t addr, size_t len_bytes)
{
	uint64_t mask[MAX_NODES / 64] = {0};

	sys(SYS_madvise, addr, len_bytes, MADV_DONTFORK);
	sys(SYS_madvise, addr, len_bytes, MADV_DONTDUMP);
	sys(SYS_madvise, addr, len_bytes, pool->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (!pool->strict)
		return 0;
	mask[pool->node / 64] = 1ULL << (pool->node % 64);
	return (int)sys(SYS_mbind, addr, len_bytes, FERRY_MPOL_BIND, mask, MAX_NODES + 1, 0);
}

/*
 * Where huge frames came apart a page table is left, and no THP can be moved there any more: only a
 * new mapping gets rid of it.
 */
static void extent_renew(const struct pool *pool, uintptr_t addr)
{
	sys(SYS_mmap, addr, EXTENT_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	advise(pool, addr, EXTENT_BYTES);
}

/* Frees what an extent holds. Unregistered first: or MADV_DONTNEED would be an event for us. */
static void extent_empty(struct pool *pool, uint32_t extent)
{
	uintptr_t addr = bay_addr(pool, extent * EXTENT_BAYS);
	bool broken = extent_sum(pool, extent).broken;
	unsigned int nr = 0;

	uffd_unregister(pool->uffd, addr, EXTENT_BYTES);
	if (broken)
		extent_renew(pool, addr);
	else
		sys(SYS_madvise, addr, EXTENT_BYTES, MADV_DONTNEED);
	for (unsigned int i = 0; i < EXTENT_BAYS; i++) {
		struct bay *bay = &pool->bays[extent * EXTENT_BAYS + i];

		nr += bay->nr_resident;
		memset(&bay->resident, 0, sizeof(bay->resident));
		bay->nr_resident = 0;
		/* A huge bay that has had small pages keeps its page table: no THP fits any more.
		 */
		bay->broken = bay->broken && pool->huge;
	}
	futex_lock(&pool->lock);
	pool->nr_resident -= nr;
	pool->nr_freed += nr;
	futex_unlock(&pool->lock);
}

static void extent_settle(struct pool *pool, uint32_t extent, enum extent_state state)
{
	futex_lock(&pool->lock);
	pool->extents[extent] = state;
	for (unsigned int i = 0; i < EXTENT_BAYS; i++)
		relist(pool, extent * EXTENT_BAYS + i);
	futex_unlock(&pool->lock);
}

/*
 * An extent to fill or to make slots of: one that is idle, else the active one that holds least and
 * has nothing handed out.
 */
static int extent_find(struct pool *pool, uint32_t *out, bool *was_active)
{
	unsigned int least = UINT32_MAX;
	int err = -ENOMEM;

	futex_lock(&pool->lock);
	for (uint32_t i = 0; i < pool->nr_extents; i++) {
		struct extent_sum sum;

		if (pool->extents[i] == EXTENT_CHANGING)
			continue;
		sum = extent_sum(pool, i);
		if (pool->extents[i] == EXTENT_IDLE) {
			*out = i;
			err = 0;
			break;
		}
		if (pool->extents[i] == EXTENT_ACTIVE && !sum.nr_reserved &&
		    sum.nr_resident < least && sum.nr_resident < EXTENT_PAGES / 2) {
			least = sum.nr_resident;
			*out = i;
			err = 0;
		}
	}
	if (!err) {
		*was_active = pool->extents[*out] == EXTENT_ACTIVE;
		extent_claim(pool, *out);
	}
	futex_unlock(&pool->lock);
	return err;
}

bool pool_node_is_low(const struct pool *pool)
{
	uint64_t total, free;

	return !nodes_memory(pool->node, &total, &free) &&
	       free < total / LOW_MEMORY_SHARE + EXTENT_BYTES;
}

/* Marks the pages of a bay that really hold frames on this node. */
static void bay_survey(struct pool *pool, uint32_t index, uint64_t stamp)
{
	struct bay *bay = &pool->bays[index];
	uintptr_t addr = bay_addr(pool, index);

	memset(&bay->resident, 0, sizeof(bay->resident));
	if (pool->huge && !pagemap_is_huge(addr)) {
		bay->broken = true;
		return;
	}
	if (pool->strict) {
		node_survey(addr, PAGES_PER_HUGE, pool->node, &bay->resident);
		/* Frames elsewhere would sit in the way as neither frame nor hole. */
		bay->broken = map_count(&bay->resident) != PAGES_PER_HUGE;
	} else {
		map_set_range(&bay->resident, 0, PAGES_PER_HUGE);
	}
	bay->nr_resident = bay->broken ? 0 : PAGES_PER_HUGE;
	bay->stamp = stamp;
}

/* Populates the first nr_bays of an extent. */
static int extent_populate(struct pool *pool, uint32_t extent, unsigned int nr_bays, uint64_t stamp)
{
	uintptr_t addr = bay_addr(pool, extent * EXTENT_BAYS);
	long err = sys(SYS_madvise, addr, nr_bays * HUGE_BYTES, MADV_POPULATE_WRITE);
	unsigned int nr = 0;

	if (err)
		return (int)err;
	for (unsigned int i = 0; i < nr_bays; i++) {
		bay_survey(pool, extent * EXTENT_BAYS + i, stamp);
		nr += pool->bays[extent * EXTENT_BAYS + i].nr_resident;
	}
	futex_lock(&pool->lock);
	pool->nr_made += nr;
	pool->nr_resident += nr;
	futex_unlock(&pool->lock);
	return nr ? 0 : -ENOMEM;
}

static uint64_t pages_held(struct pool *pool)
{
	uint64_t held;

	futex_lock(&pool->lock);
	held = pool->nr_resident;
	futex_unlock(&pool->lock);
	return held;
}

uint64_t pool_held_bytes(struct pool *pool)
{
	return pool ? pages_held(pool) * PAGE_BYTES : 0;
}

/* Bays that may be filled under the cap, at most an extent. */
static unsigned int room_under_cap(struct pool *pool)
{
	uint64_t held = pages_held(pool);

	if (held >= pool->cap_pages)
		return 0;
	return (unsigned int)MIN(DIV_ROUND_UP(pool->cap_pages - held, PAGES_PER_HUGE),
				 (uint64_t)EXTENT_BAYS);
}

/* Brings one more extent into use, with nr_bays of it filled (0: all holes, for slots). */
static int extent_add(struct pool *pool, unsigned int nr_bays, uint64_t stamp)
{
	uint32_t extent;
	bool was_active = false;
	int err = extent_find(pool, &extent, &was_active);

	if (err)
		return err;
	if (was_active)
		extent_empty(pool, extent);
	if (nr_bays)
		err = extent_populate(pool, extent, nr_bays, stamp);
	if (!err)
		err = uffd_register(pool->uffd, bay_addr(pool, extent * EXTENT_BAYS), EXTENT_BYTES);
	if (err)
		extent_empty(pool, extent);
	extent_settle(pool, extent, err ? EXTENT_IDLE : EXTENT_ACTIVE);
	return err;
}

static int extent_add_filled(struct pool *pool, uint64_t stamp, uint64_t *nr_made)
{
	unsigned int nr_bays = room_under_cap(pool);
	int err;

	if (!nr_bays || pool_node_is_low(pool))
		return -ENOMEM;
	err = extent_add(pool, nr_bays, stamp);
	if (!err)
		*nr_made += nr_bays * PAGES_PER_HUGE;
	return err;
}

/* ---- handing out and taking back ---- */

static void free_runs(const struct bay *bay, bool resident, struct page_map *out)
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

	free_runs(bay, resident, &free);
	first = map_find_run(&free, nr_pages);
	if (first < 0)
		return false;
	map_set_range(&bay->reserved, (unsigned int)first, nr_pages);
	bay->nr_reserved += (uint16_t)nr_pages;
	relist(pool, index);
	*out = (struct span){
		.addr = bay_addr(pool, index) + (uintptr_t)first * PAGE_BYTES,
		.bay = index,
		.first = (uint16_t)first,
		.nr_pages = (uint16_t)nr_pages,
	};
	return true;
}

/* Looks at a few mixed bays only: a long list of crumbs must not cost more than a fresh bay. */
#define MIXED_TRIES 8

static bool take(struct pool *pool, unsigned int nr_pages, bool resident, struct span *out)
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

static bool take_locked(struct pool *pool, unsigned int nr_pages, bool resident, struct span *out)
{
	bool took;

	futex_lock(&pool->lock);
	took = take(pool, nr_pages, resident, out);
	futex_unlock(&pool->lock);
	return took;
}

int pool_take_slot(struct pool *pool, unsigned int nr_pages, struct span *out)
{
	while (!take_locked(pool, nr_pages, false, out)) {
		int err = extent_add(pool, 0, 0);

		if (err)
			return err;
	}
	return 0;
}

/* Are the span's frames still where they were? */
static bool span_in_place(struct pool *pool, const struct span *span, uint64_t stamp)
{
	struct page_map here;

	if (!pool->strict || (stamp && pool->bays[span->bay].stamp == stamp))
		return true;
	memset(&here, 0, sizeof(here));
	node_survey(span->addr, span->nr_pages, pool->node, &here);
	return map_count(&here) == span->nr_pages;
}

int pool_take_frames(struct pool *pool, unsigned int nr_pages, uint64_t stamp, struct span *out,
		     uint64_t *nr_made)
{
	struct page_map all;
	int err;

	for (;;) {
		while (!take_locked(pool, nr_pages, true, out)) {
			err = extent_add_filled(pool, stamp, nr_made);
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
	/* Frames of several ages in one bay: the oldest stamp counts. */
	bay->stamp = before && bay->stamp != stamp && bay->nr_resident != span->nr_pages
			     ? MIN(bay->stamp, stamp)
			     : stamp;
	pool->nr_resident += bay->nr_resident;
	pool->nr_resident -= before;
	relist(pool, span->bay);
	futex_unlock(&pool->lock);
}

void pool_distrust(struct pool *pool, const struct span *span)
{
	futex_lock(&pool->lock);
	pool->bays[span->bay].broken = true;
	futex_unlock(&pool->lock);
}

void pool_trim(struct pool *pool, uint64_t keep_bytes)
{
	for (uint32_t i = 0; i < pool->nr_extents; i++) {
		bool claimed = false;

		futex_lock(&pool->lock);
		if (pool->nr_resident <= keep_bytes / PAGE_BYTES) {
			futex_unlock(&pool->lock);
			return;
		}
		if (pool->extents[i] == EXTENT_ACTIVE) {
			struct extent_sum sum = extent_sum(pool, i);

			claimed = !sum.nr_reserved && (sum.nr_resident || sum.broken);
			if (claimed)
				extent_claim(pool, i);
		}
		futex_unlock(&pool->lock);
		if (!claimed)
			continue;
		extent_empty(pool, i);
		extent_settle(pool, i, EXTENT_IDLE);
	}
}

int pool_fill(struct pool *pool, uint64_t bytes, uint64_t stamp)
{
	uint64_t nr_made = 0;
	int err = 0;

	while (!err && pages_held(pool) < bytes / PAGE_BYTES)
		err = extent_add_filled(pool, stamp, &nr_made);
	return err;
}

/* ---- life ---- */

static size_t bays_bytes(const struct pool *pool)
{
	return (size_t)pool->nr_extents * (EXTENT_BAYS * sizeof(struct bay) + sizeof(uint8_t));
}

int pool_open(struct pool *pool, int node, bool huge, bool strict, int uffd, uint64_t cap_bytes)
{
	void *base, *books;
	size_t len;
	int err;

	*pool = (struct pool){
		.node = node,
		.huge = huge,
		.strict = strict,
		.uffd = uffd,
		.cap_pages = cap_bytes / PAGE_BYTES,
		/* Room for the cap in frames and as much in holes, and a few to work with. */
		.nr_extents = (uint32_t)(2 * cap_bytes / EXTENT_BYTES) + SPARE_EXTENTS,
		.heads = {NO_BAY, NO_BAY, NO_BAY},
	};
	len = (size_t)pool->nr_extents * EXTENT_BYTES;
	err = vault_reserve(bays_bytes(pool), &books);
	if (err)
		return err;
	pool->bays = books;
	pool->extents = (uint8_t *)(pool->bays + (size_t)pool->nr_extents * EXTENT_BAYS);
	for (uint32_t i = 0; i < pool->nr_extents * EXTENT_BAYS; i++)
		pool->bays[i].list = BAYS_NONE;
	err = vault_reserve(len, &base);
	if (err) {
		pool_close(pool);
		return err;
	}
	pool->base = (uintptr_t)base;
	err = advise(pool, pool->base, len);
	if (err)
		pool_close(pool);
	return err;
}

void pool_close(struct pool *pool)
{
	size_t len = (size_t)pool->nr_extents * EXTENT_BYTES;

	if (pool->base) {
		/* Or it would be an event, and the watcher has gone home. */
		uffd_unregister(pool->uffd, pool->base, len);
		vault_free((void *)pool->base, len);
	}
	vault_free(pool->bays, bays_bytes(pool));
	*pool = (struct pool){0};
}
