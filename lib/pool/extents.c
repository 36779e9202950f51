// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Opens extents up, fills them with frames, registers them with the userfaultfd, and empties them
 * again.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "lib/nodes/memory_room.h"
#include "lib/nodes/page_nodes.h"
#include "lib/nodes/pagemap.h"
#include "lib/pool/bays.h"
#include "lib/pool/extents.h"
#include "lib/uffd/uffd.h"

struct extent_sum {
	unsigned int nr_resident, nr_reserved;
	unsigned int nr_usable; /* frames that can be handed out */
	bool broken;
};

static struct extent_sum extent_sum(const struct pool *pool, uint32_t extent)
{
	struct extent_sum sum = {0};

	for (unsigned int i = 0; i < EXTENT_BAYS; i++) {
		const struct bay *bay = &pool->bays[extent * EXTENT_BAYS + i];

		sum.nr_resident += bay->nr_resident;
		sum.nr_reserved += bay->nr_reserved;
		sum.nr_usable += bay->broken ? 0 : bay->nr_resident;
		sum.broken |= bay->broken;
	}
	return sum;
}

static uintptr_t extent_addr(const struct pool *pool, uint32_t extent)
{
	return bay_addr(pool, extent * EXTENT_BAYS);
}

/* ---- mappings ---- */

/*
 * Not locked: after mlockall(2) the kernel would fill holes with frames as soon as they can be
 * accessed, and refuse to free any.
 */
int extent_advise(const struct pool *pool, uintptr_t addr, size_t len_bytes)
{
	uint64_t mask[MAX_NODES / 64] = {0};

	sys(SYS_munlock, addr, len_bytes);
	sys(SYS_madvise, addr, len_bytes, MADV_DONTFORK);
	sys(SYS_madvise, addr, len_bytes, MADV_DONTDUMP);
	sys(SYS_madvise, addr, len_bytes, pool->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (!pool->blocks)
		return 0;
	mask[pool->node / 64] = 1ULL << (pool->node % 64);
	return (int)sys(SYS_mbind, addr, len_bytes, FERRY_MPOL_BIND, mask, MAX_NODES + 1, 0);
}

/* Of an idle extent. The settings of extent_advise() stay. */
static int extent_allow_access(uintptr_t addr)
{
	sys(SYS_munlock, addr, EXTENT_BYTES);
	return (int)sys(SYS_mprotect, addr, EXTENT_BYTES, PROT_READ | PROT_WRITE);
}

/*
 * Maps the extent anew, without access. Only that gives back what the kernel has charged for the
 * mapping, and removes the page tables that remain where a huge frame came apart: UFFDIO_MOVE
 * cannot put a huge page there.
 */
static int extent_map_anew(const struct pool *pool, uintptr_t addr)
{
	long mapped = sys(SYS_mmap, addr, EXTENT_BYTES, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	if (mapped != (long)addr)
		return sys_is_error(mapped) ? (int)mapped : -EINVAL;
	return extent_advise(pool, addr, EXTENT_BYTES);
}

/* ---- emptying ---- */

static void extent_forget_frames(struct pool *pool, uint32_t extent)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < EXTENT_BAYS; i++) {
		struct bay *bay = &pool->bays[extent * EXTENT_BAYS + i];

		nr += bay->nr_resident;
		memset(&bay->resident, 0, sizeof(bay->resident));
		bay->nr_resident = 0;
		bay->broken = false;
	}
	futex_lock(&pool->lock);
	pool->nr_resident -= nr;
	pool->nr_freed += nr;
	futex_unlock(&pool->lock);
}

/*
 * Frees the frames of an extent that is not registered. Returns the state that the extent has then:
 * CHANGING if it can be filled; IDLE if it has no access any more, which `close` asks for; LOST.
 */
static enum extent_state extent_free_frames(struct pool *pool, uint32_t extent, bool close)
{
	uintptr_t addr = extent_addr(pool, extent);
	bool anew = close || extent_sum(pool, extent).broken;
	enum extent_state state = EXTENT_CHANGING;

	/* Before the new mapping, because this frees frames under no lock that others wait for. */
	sys(SYS_munlock, addr, EXTENT_BYTES);
	if (sys(SYS_madvise, addr, EXTENT_BYTES, MADV_DONTNEED))
		anew = true;
	if (anew)
		state = extent_map_anew(pool, addr) ? EXTENT_LOST : EXTENT_IDLE;
	extent_forget_frames(pool, extent);
	return state;
}

/*
 * The same for a registered extent. Unregisters it first: a discard of registered memory waits
 * until the watcher has read an event, and the caller may be the watcher. Returns ACTIVE, with the
 * extent as it was, if that fails.
 */
static enum extent_state extent_empty(struct pool *pool, uint32_t extent, bool close)
{
	if (uffd_unregister(pool->uffd, extent_addr(pool, extent), EXTENT_BYTES))
		return EXTENT_ACTIVE;
	return extent_free_frames(pool, extent, close);
}

/* ---- finding one ---- */

/* Takes the extent's bays off the lists: from now on the extent is the caller's alone. */
static void extent_claim(struct pool *pool, uint32_t extent)
{
	for (unsigned int i = 0; i < EXTENT_BAYS; i++)
		bay_unlist(pool, extent * EXTENT_BAYS + i);
	pool->extents[extent] = EXTENT_CHANGING;
	pool->nr_used_extents = MAX(pool->nr_used_extents, extent + 1);
}

static void extent_settle(struct pool *pool, uint32_t extent, enum extent_state state)
{
	futex_lock(&pool->lock);
	pool->extents[extent] = (uint8_t)state;
	for (unsigned int i = 0; i < EXTENT_BAYS; i++)
		bay_relist(pool, extent * EXTENT_BAYS + i);
	futex_unlock(&pool->lock);
}

#define RANK_NEVER UINT32_MAX

/*
 * How well an extent can be spared for nr_bays of new frames, or for slots (0). The lowest rank is
 * the best: an extent without a usable frame, then an idle one, then the one with the fewest usable
 * frames. Where the pool holds too much, an idle one comes last.
 */
static uint32_t extent_rank(const struct pool *pool, uint32_t extent, unsigned int nr_bays,
			    bool too_much)
{
	struct extent_sum sum;

	if (pool->extents[extent] == EXTENT_IDLE)
		return too_much ? 2 * EXTENT_PAGES : 1;
	if (pool->extents[extent] != EXTENT_ACTIVE)
		return RANK_NEVER;
	sum = extent_sum(pool, extent);
	if (sum.nr_reserved)
		return RANK_NEVER;
	/* Nothing would be gained: as many bays of frames or of holes are there already. */
	if (nr_bays ? sum.nr_usable >= nr_bays * PAGES_PER_HUGE : !sum.nr_resident && !sum.broken)
		return RANK_NEVER;
	return sum.nr_usable ? 1 + sum.nr_usable : 0;
}

/* The extent of the lowest rank; RANK_NEVER if there is none. Under the pool's lock. */
static uint32_t extent_choose(const struct pool *pool, unsigned int nr_bays, bool too_much)
{
	uint32_t nr = MIN(pool->nr_used_extents + 1, pool->nr_extents);
	uint32_t best = RANK_NEVER, lowest = RANK_NEVER;

	for (uint32_t i = 0; i < nr && lowest; i++) {
		uint32_t rank = extent_rank(pool, i, nr_bays, too_much);

		if (rank < lowest) {
			lowest = rank;
			best = i;
		}
	}
	return best;
}

/* What the pool should hold at most: no more than the jobs need at once. */
static uint64_t pool_limit_pages(const struct pool *pool)
{
	uint64_t need = pool->need_pages ? atomic_load(pool->need_pages) : 0;

	return need ? MIN(need, pool->cap_pages) : pool->cap_pages;
}

struct extent_claim {
	uint32_t extent;
	unsigned int nr_bays; /* to be filled */
	bool was_active;
};

/*
 * Claims an extent for nr_bays of new frames, or fewer if the cap allows no more, or for slots (0).
 * -ENOMEM: no extent can be spared, or the pool is at its cap.
 */
static int extent_find(struct pool *pool, unsigned int nr_bays, struct extent_claim *out)
{
	uint64_t held, room;
	int err = -ENOMEM;

	futex_lock(&pool->lock);
	held = pool->nr_resident + pool->nr_filling;
	out->nr_bays = nr_bays;
	out->extent = extent_choose(pool, nr_bays,
				    held + nr_bays * PAGES_PER_HUGE > pool_limit_pages(pool));
	if (out->extent == RANK_NEVER)
		goto out;
	out->was_active = pool->extents[out->extent] == EXTENT_ACTIVE;
	held -= extent_sum(pool, out->extent).nr_resident;
	room = pool->cap_pages - MIN(held, pool->cap_pages);
	out->nr_bays = (unsigned int)MIN((uint64_t)nr_bays, room / PAGES_PER_HUGE);
	if (nr_bays &&
	    (!out->nr_bays || extent_rank(pool, out->extent, out->nr_bays, false) == RANK_NEVER))
		goto out;
	pool->nr_filling += out->nr_bays * PAGES_PER_HUGE;
	extent_claim(pool, out->extent);
	err = 0;
out:
	futex_unlock(&pool->lock);
	return err;
}

/* ---- filling ---- */

/* Looks up which pages of a bay hold frames on the pool's node, and frees those of a bad bay. */
static void bay_look_up(struct pool *pool, uint32_t index, uint64_t stamp)
{
	struct bay *bay = &pool->bays[index];
	uintptr_t addr = bay_addr(pool, index);
	bool good = !pool->huge || pagemap_is_huge(addr);

	memset(&bay->resident, 0, sizeof(bay->resident));
	bay->nr_resident = 0;
	bay->stamp = stamp;
	if (good && pool->blocks) {
		page_nodes_match(pool->blocks, addr, PAGES_PER_HUGE, pool->node, &bay->resident);
		good = map_count(&bay->resident) == PAGES_PER_HUGE;
	}
	if (good) {
		map_set_range(&bay->resident, 0, PAGES_PER_HUGE);
		bay->nr_resident = PAGES_PER_HUGE;
		return;
	}
	/* Small pages of a huge bay leave a page table where a huge frame must go. */
	memset(&bay->resident, 0, sizeof(bay->resident));
	bay->broken = sys(SYS_madvise, addr, HUGE_BYTES, MADV_DONTNEED) || pool->huge;
}

/* Allocates frames for the first nr_bays of an extent. */
static int extent_populate(struct pool *pool, uint32_t extent, unsigned int nr_bays, uint64_t stamp,
			   uint64_t *nr_made)
{
	uintptr_t addr = extent_addr(pool, extent);
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
	*nr_made += nr;
	return nr ? 0 : -ENOMEM;
}

/* Makes the claimed extent ready. Returns the state that it has then. */
static enum extent_state extent_make(struct pool *pool, const struct extent_claim *claim,
				     uint64_t stamp, uint64_t *nr_made)
{
	uintptr_t addr = extent_addr(pool, claim->extent);
	enum extent_state state = EXTENT_IDLE;
	int err = 0;

	if (claim->was_active)
		state = extent_empty(pool, claim->extent, false);
	if (state == EXTENT_IDLE)
		err = extent_allow_access(addr);
	else if (state != EXTENT_CHANGING)
		return state;
	if (!err && claim->nr_bays)
		err = extent_populate(pool, claim->extent, claim->nr_bays, stamp, nr_made);
	if (!err)
		err = uffd_register(pool->uffd, addr, EXTENT_BYTES);
	return err ? extent_free_frames(pool, claim->extent, true) : EXTENT_ACTIVE;
}

static int extent_add(struct pool *pool, unsigned int nr_bays, uint64_t stamp, uint64_t *nr_made)
{
	struct extent_claim claim;
	uint64_t nr_new = 0;
	enum extent_state state;
	int err = extent_find(pool, nr_bays, &claim);

	if (err)
		return err;
	state = extent_make(pool, &claim, stamp, &nr_new);
	futex_lock(&pool->lock);
	pool->nr_filling -= claim.nr_bays * PAGES_PER_HUGE;
	futex_unlock(&pool->lock);
	extent_settle(pool, claim.extent, state);
	*nr_made += nr_new;
	return state == EXTENT_ACTIVE && (nr_new || !nr_bays) ? 0 : -ENOMEM;
}

int extent_add_slots(struct pool *pool)
{
	uint64_t nr_made = 0;

	return extent_add(pool, 0, 0, &nr_made);
}

/*
 * With less than this left, pools grow one after the other: several lanes that find the same room
 * would use it up together. Each of at most 63 lanes allocates an extent at a time.
 */
#define TIGHT_BYTES (64 * EXTENT_BYTES)

int extent_add_frames(struct pool *pool, uint64_t nr_bays, uint64_t stamp, uint64_t *nr_made)
{
	uint64_t room = memory_room_bytes(pool->node);
	bool tight = pool->tight_lock && room < TIGHT_BYTES;
	int err = -ENOMEM;

	if (tight) {
		futex_lock(pool->tight_lock);
		room = memory_room_bytes(pool->node);
	}
	nr_bays = MIN(MIN(nr_bays, (uint64_t)EXTENT_BAYS), room / HUGE_BYTES);
	if (nr_bays)
		err = extent_add(pool, (unsigned int)nr_bays, stamp, nr_made);
	if (tight)
		futex_unlock(pool->tight_lock);
	return err;
}

/* ---- trimming ---- */

static uint32_t extent_rank_to_free(const struct pool *pool, uint32_t extent)
{
	struct extent_sum sum = extent_sum(pool, extent);

	return sum.nr_reserved ? RANK_NEVER : sum.nr_usable;
}

/* Claims the extent that is missed least; RANK_NEVER: nothing can or need be freed. */
static uint32_t extent_find_to_free(struct pool *pool, uint64_t keep_bytes)
{
	uint32_t best = RANK_NEVER, lowest = RANK_NEVER;

	futex_lock(&pool->lock);
	/* Without frames to keep, extents of slots alone go as well. */
	if (!keep_bytes || pool->nr_resident > keep_bytes / PAGE_BYTES) {
		for (uint32_t i = 0; i < pool->nr_used_extents; i++) {
			uint32_t rank = pool->extents[i] == EXTENT_ACTIVE
						? extent_rank_to_free(pool, i)
						: RANK_NEVER;

			if (rank < lowest) {
				lowest = rank;
				best = i;
			}
		}
		if (best != RANK_NEVER)
			extent_claim(pool, best);
	}
	futex_unlock(&pool->lock);
	return best;
}

void pool_trim(struct pool *pool, uint64_t keep_bytes)
{
	enum extent_state state = EXTENT_IDLE;
	uint32_t extent;

	while (state != EXTENT_ACTIVE) {
		extent = extent_find_to_free(pool, keep_bytes);
		if (extent == RANK_NEVER)
			return;
		state = extent_empty(pool, extent, true);
		extent_settle(pool, extent, state);
	}
}
