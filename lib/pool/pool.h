/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames kept ready on one node, of one page size.
 *
 * A pool is a stretch of address space cut into bays of 2 MiB. A page of a bay either holds a frame
 * or is a hole. The exchange mover takes pages out into a run of holes of the source node's pool
 * (the slot) and puts in frames of the destination node's pool; afterwards the slot holds frames of
 * the source node and the frames it used have left holes. Nothing is allocated or freed.
 *
 * Frames come and go in extents of 16 MiB. An extent is filled before it is registered with the
 * userfaultfd (being the destination of UFFDIO_MOVE it must be), so that filling takes no fault.
 *
 * Thread-safe. A pool does not grow while the calling lane has pages out.
 */
#ifndef FERRY_POOL_H
#define FERRY_POOL_H

#include "base/base.h"
#include "base/bits.h"
#include "base/futex.h"
#include "lib/nodes/memory_blocks.h"

#define EXTENT_BAYS  8
#define EXTENT_BYTES (EXTENT_BAYS * HUGE_BYTES)
#define EXTENT_PAGES (EXTENT_BAYS * PAGES_PER_HUGE)

enum bay_list { BAYS_FULL, BAYS_MIXED, BAYS_EMPTY, NR_BAY_LISTS, BAYS_NONE = NR_BAY_LISTS };

struct bay {
	struct page_map resident; /* pages that hold a frame */
	struct page_map reserved; /* pages handed out, whatever they hold */
	uint64_t stamp; /* nodes_migration_stamp when its frames were last known in place */
	uint32_t prev, next;
	uint16_t nr_resident;
	uint16_t nr_reserved;
	uint8_t list;
	bool broken; /* not to be used before its extent has been emptied */
};

enum extent_state { EXTENT_IDLE, EXTENT_CHANGING, EXTENT_ACTIVE };

struct pool {
	struct futex_lock lock;
	int node;
	int uffd;
	bool huge; /* frames are transparent huge pages */
	/* Several nodes: frames are bound, and found by these to be in place. NULL: one node. */
	const struct memory_blocks *blocks;
	void *space; /* the whole reservation */
	uintptr_t base;
	uint32_t nr_extents;
	struct bay *bays;
	uint8_t *extents; /* enum extent_state */
	uint32_t heads[NR_BAY_LISTS];
	uint64_t nr_resident; /* frames held, and being filled in */
	uint64_t cap_pages;
	uint64_t nr_made, nr_freed;
};

/* A run of pages of one bay, handed out. */
struct span {
	uintptr_t addr;
	uint32_t bay;
	uint16_t first;
	uint16_t nr_pages;
};

/*
 * blocks: of a machine with several nodes, else NULL; they outlive the pool. cap_bytes: frames held
 * at most. 0, -ENOMEM. pool_close takes a zeroed pool.
 */
int __must_check pool_open(struct pool *pool, int node, bool huge,
			   const struct memory_blocks *blocks, int uffd, uint64_t cap_bytes);
void pool_close(struct pool *pool);

/* Fills up to at least bytes (within the cap). 0, -ENOMEM. */
int pool_fill(struct pool *pool, uint64_t bytes, uint64_t stamp);

/*
 * Hands out nr_pages consecutive frames that are on the pool's node (looked up again where the
 * stamp says that something on the machine has migrated since). *nr_made grows by the frames that
 * had to be allocated. -ENOMEM: none to be had; -EAGAIN: none without growing, which takes long.
 */
int __must_check pool_take_frames(struct pool *pool, unsigned int nr_pages, uint64_t stamp,
				  bool may_grow, struct span *out, uint64_t *nr_made);
/* Hands out nr_pages consecutive holes. -ENOMEM, -EAGAIN. */
int __must_check pool_take_slot(struct pool *pool, unsigned int nr_pages, bool may_grow,
				struct span *out);

/*
 * Grows the pool until it can hand out so many bays of frames, and of holes, as far as the cap and
 * memory allow. *nr_made as above.
 */
void pool_make_ready(struct pool *pool, unsigned int nr_frame_bays, unsigned int nr_hole_bays,
		     uint64_t stamp, uint64_t *nr_made);

/* Takes a span back; resident tells, from bit 0 for its first page, which pages hold a frame. */
void pool_put(struct pool *pool, const struct span *span, const struct page_map *resident,
	      uint64_t stamp);

/* The span's bay is not to be used again before its extent has been emptied. */
void pool_distrust(struct pool *pool, const struct span *span);

/* Bytes in frames; 0 for NULL. */
uint64_t pool_held_bytes(struct pool *pool);
/* Does the pool's address space cover addr? */
bool pool_contains(const struct pool *pool, uintptr_t addr);
/* Has the pool's node little memory left for others? */
bool pool_node_is_low(const struct pool *pool);

/* Frees whole extents until at most keep_bytes are held, as far as nothing in them is in use. */
void pool_trim(struct pool *pool, uint64_t keep_bytes);

#endif
