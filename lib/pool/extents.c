// SPDX-License-Identifier: LGPL-2.1-or-later
/* Fills extents with frames, registers them with the userfaultfd, and empties them again. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "lib/nodes/nodes.h"
#include "lib/nodes/page_nodes.h"
#include "lib/nodes/pagemap.h"
#include "lib/pool/bays.h"
#include "lib/pool/extents.h"
#include "lib/uffd/uffd.h"

/*
 * A pool takes no frames from a node with less than 1/32 of its memory free. Increasing this leaves
 * less memory to others before pools stop growing; decreasing it leaves more.
 */
#define LOW_MEMORY_SHARE 32

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

/* Takes the extent's bays off the lists: from now on the extent is the caller's alone. */
static void extent_claim(struct pool *pool, uint32_t extent)
{
	for (unsigned int i = 0; i < EXTENT_BAYS; i++)
		bay_unlist(pool, extent * EXTENT_BAYS + i);
	pool->extents[extent] = EXTENT_CHANGING;
}

int extent_advise(const struct pool *pool, uintptr_t addr, size_t len_bytes)
{
	uint64_t mask[MAX_NODES / 64] = {0};

	sys(SYS_madvise, addr, len_bytes, MADV_DONTFORK);
	sys(SYS_madvise, addr, len_bytes, MADV_DONTDUMP);
	sys(SYS_madvise, addr, len_bytes, pool->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (!pool->blocks)
		return 0;
	mask[pool->node / 64] = 1ULL << (pool->node % 64);
	return (int)sys(SYS_mbind, addr, len_bytes, FERRY_MPOL_BIND, mask, MAX_NODES + 1, 0);
}

/*
 * Maps the extent anew. Where a huge frame came apart, a page table remains, and UFFDIO_MOVE
 * cannot put a huge page there: only a new mapping removes the page table.
 */
static void extent_renew(const struct pool *pool, uintptr_t addr)
{
	sys(SYS_mmap, addr, EXTENT_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	extent_advise(pool, addr, EXTENT_BYTES);
}

/*
 * Frees the frames of an extent. Unregisters the extent first: MADV_DONTNEED on registered memory
 * waits until the watcher has read an event, and the caller may be the watcher.
 */
static int extent_empty(struct pool *pool, uint32_t extent)
{
	uintptr_t addr = bay_addr(pool, extent * EXTENT_BAYS);
	bool broken = extent_sum(pool, extent).broken;
	unsigned int nr = 0;
	int err = uffd_unregister(pool->uffd, addr, EXTENT_BYTES);

	if (err)
		return err;
	if (broken)
		extent_renew(pool, addr);
	else
		sys(SYS_madvise, addr, EXTENT_BYTES, MADV_DONTNEED);
	for (unsigned int i = 0; i < EXTENT_BAYS; i++) {
		struct bay *bay = &pool->bays[extent * EXTENT_BAYS + i];

		nr += bay->nr_resident;
		memset(&bay->resident, 0, sizeof(bay->resident));
		bay->nr_resident = 0;
		/* A huge bay stays broken: where it has a page table, no huge page fits. */
		bay->broken = bay->broken && pool->huge;
	}
	futex_lock(&pool->lock);
	pool->nr_resident -= nr;
	pool->nr_freed += nr;
	futex_unlock(&pool->lock);
	return 0;
}

static void extent_settle(struct pool *pool, uint32_t extent, enum extent_state state)
{
	futex_lock(&pool->lock);
	pool->extents[extent] = state;
	for (unsigned int i = 0; i < EXTENT_BAYS; i++)
		bay_relist(pool, extent * EXTENT_BAYS + i);
	futex_unlock(&pool->lock);
}

/*
 * Claims an extent to be filled or made into slots: an idle one, else the active one that holds the
 * fewest frames, less than half of what fits, and has nothing handed out.
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

/* Looks up which pages of a bay hold frames on the pool's node. */
static void bay_look_up(struct pool *pool, uint32_t index, uint64_t stamp)
{
	struct bay *bay = &pool->bays[index];
	uintptr_t addr = bay_addr(pool, index);

	memset(&bay->resident, 0, sizeof(bay->resident));
	if (pool->huge && !pagemap_is_huge(addr)) {
		bay->broken = true;
		return;
	}
	if (pool->blocks) {
		page_nodes_match(pool->blocks, addr, PAGES_PER_HUGE, pool->node, &bay->resident);
		/* A frame on another node is neither a frame nor a hole of this pool. */
		bay->broken = map_count(&bay->resident) != PAGES_PER_HUGE;
	} else {
		map_set_range(&bay->resident, 0, PAGES_PER_HUGE);
	}
	bay->nr_resident = bay->broken ? 0 : PAGES_PER_HUGE;
	bay->stamp = stamp;
}

/* Allocates frames for the first nr_bays of an extent. */
static int extent_populate(struct pool *pool, uint32_t extent, unsigned int nr_bays, uint64_t stamp)
{
	uintptr_t addr = bay_addr(pool, extent * EXTENT_BAYS);
	long err = sys(SYS_madvise, addr, nr_bays * HUGE_BYTES, MADV_POPULATE_WRITE);
	unsigned int nr = 0;

	if (err)
		return (int)err;
	for (unsigned int i = 0; i < nr_bays; i++) {
		bay_look_up(pool, extent * EXTENT_BAYS + i, stamp);
		nr += pool->bays[extent * EXTENT_BAYS + i].nr_resident;
	}
	futex_lock(&pool->lock);
	pool->nr_made += nr;
	pool->nr_resident += nr;
	futex_unlock(&pool->lock);
	return nr ? 0 : -ENOMEM;
}

static uint64_t pool_held_pages(struct pool *pool)
{
	uint64_t held;

	futex_lock(&pool->lock);
	held = pool->nr_resident;
	futex_unlock(&pool->lock);
	return held;
}

uint64_t pool_held_bytes(struct pool *pool)
{
	return pool ? pool_held_pages(pool) * PAGE_BYTES : 0;
}

/* How many bays may be filled without exceeding the cap, at most one extent's. */
static unsigned int pool_room_bays(struct pool *pool)
{
	uint64_t held = pool_held_pages(pool);

	if (held >= pool->cap_pages)
		return 0;
	return (unsigned int)MIN(DIV_ROUND_UP(pool->cap_pages - held, PAGES_PER_HUGE),
				 (uint64_t)EXTENT_BAYS);
}

int extent_add(struct pool *pool, unsigned int nr_bays, uint64_t stamp)
{
	uint32_t extent;
	bool was_active = false;
	int err = extent_find(pool, &extent, &was_active);

	if (err)
		return err;
	if (was_active) {
		err = extent_empty(pool, extent);
		if (err) {
			extent_settle(pool, extent, EXTENT_ACTIVE);
			return err;
		}
	}
	if (nr_bays)
		err = extent_populate(pool, extent, nr_bays, stamp);
	if (!err)
		err = uffd_register(pool->uffd, bay_addr(pool, extent * EXTENT_BAYS), EXTENT_BYTES);
	if (err)
		extent_empty(pool, extent);
	extent_settle(pool, extent, err ? EXTENT_IDLE : EXTENT_ACTIVE);
	return err;
}

int extent_add_filled(struct pool *pool, uint64_t stamp, uint64_t *nr_made)
{
	unsigned int nr_bays = pool_room_bays(pool);
	int err;

	if (!nr_bays || pool_node_is_low(pool))
		return -ENOMEM;
	err = extent_add(pool, nr_bays, stamp);
	if (!err)
		*nr_made += nr_bays * PAGES_PER_HUGE;
	return err;
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
		extent_settle(pool, i, extent_empty(pool, i) ? EXTENT_ACTIVE : EXTENT_IDLE);
	}
}

int pool_fill(struct pool *pool, uint64_t bytes, uint64_t stamp)
{
	uint64_t nr_made = 0;
	int err = 0;

	while (!err && pool_held_pages(pool) < bytes / PAGE_BYTES)
		err = extent_add_filled(pool, stamp, &nr_made);
	return err;
}
