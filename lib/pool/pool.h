/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pool keeps frames of one page size ready on one node.
 *
 * It is a range of address space divided into bays of 2 MiB. A page of a bay either holds a frame
 * or is a hole. The exchange mover moves pages into a run of holes of the source node's pool (the
 * slot), and frames of the destination node's pool to where the pages were. Afterwards the slot
 * holds frames of the source node, and the frames that were used have left holes. Nothing is
 * allocated or freed.
 *
 * A pool allocates and frees frames in extents of 16 MiB. It fills an extent before it registers it
 * with the userfaultfd, so that filling takes no fault. Extents are registered because slots are
 * destinations of UFFDIO_MOVE.
 *
 * Thread-safe. A pool does not grow while the calling lane has pages in flight.
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
	struct page_map reserved; /* pages handed out, frames and holes */
	uint64_t stamp; /* nodes_migration_stamp() when its frames were last known in place */
	uint32_t prev, next;
	uint16_t nr_resident;
	uint16_t nr_reserved;
	uint8_t list;
	bool broken; /* handed out no more until its extent has been emptied */
};

enum extent_state { EXTENT_IDLE, EXTENT_CHANGING, EXTENT_ACTIVE };

struct pool {
	struct futex_lock lock;
	int node;
	int uffd;
	bool huge; /* frames are transparent huge pages */
	/* On a machine with several nodes: shows which node a frame is on. Else NULL. */
	const struct memory_blocks *blocks;
	void *space; /* the whole reservation */
	uintptr_t base;
	uint32_t nr_extents;
	struct bay *bays;
	uint8_t *extents; /* enum extent_state */
	uint32_t heads[NR_BAY_LISTS];
	uint64_t nr_resident; /* frames held, in extents that are being filled, too */
	uint64_t cap_pages;
	uint64_t nr_made, nr_freed;
};

/* A run of pages of one bay that is handed out. */
struct span {
	uintptr_t addr;
	uint32_t bay;
	uint16_t first;
	uint16_t nr_pages;
};

/*
 * blocks: of a machine with several nodes, else NULL; they must outlive the pool. cap_bytes: the
 * most that its frames may amount to. 0 or -errno. pool_close() accepts a zeroed pool.
 */
int __must_check pool_open(struct pool *pool, int node, bool huge,
			   const struct memory_blocks *blocks, int uffd, uint64_t cap_bytes);
void pool_close(struct pool *pool);

/* Allocates frames until the pool holds that many bytes. 0; -ENOMEM: no memory, or the cap. */
int pool_fill(struct pool *pool, uint64_t bytes, uint64_t stamp);

/*
 * Hands out nr_pages consecutive frames that are on the pool's node; if pages have migrated since
 * the bay's stamp, it looks the frames up again. Adds the number of frames that it allocates to
 * *nr_made. 0; -ENOMEM: no memory, or the cap is reached; -EAGAIN: the pool would have to grow,
 * which takes long, and may_grow is false.
 */
int __must_check pool_take_frames(struct pool *pool, unsigned int nr_pages, uint64_t stamp,
				  bool may_grow, struct span *out, uint64_t *nr_made);
/* Hands out nr_pages consecutive holes. 0, -ENOMEM or -EAGAIN as above. */
int __must_check pool_take_slot(struct pool *pool, unsigned int nr_pages, bool may_grow,
				struct span *out);

/*
 * Grows the pool until it can hand out nr_frame_bays full bays of frames and nr_hole_bays of holes,
 * as far as the cap and memory allow. *nr_made as above.
 */
void pool_make_ready(struct pool *pool, unsigned int nr_frame_bays, unsigned int nr_hole_bays,
		     uint64_t stamp, uint64_t *nr_made);

/* Takes a span back. resident has a bit for each page, from its first, that now holds a frame. */
void pool_put(struct pool *pool, const struct span *span, const struct page_map *resident,
	      uint64_t stamp);

/* Hands out nothing of the span's bay until its extent has been emptied. */
void pool_distrust(struct pool *pool, const struct span *span);

/* How many bytes of frames the pool holds; 0 if pool is NULL. */
uint64_t pool_held_bytes(struct pool *pool);
/* True if addr is in the pool's address space. */
bool pool_contains(const struct pool *pool, uintptr_t addr);
/* True if so little of the node's memory is free that the pool must leave it to others. */
bool pool_node_is_low(const struct pool *pool);

/* Frees extents that have nothing handed out, until the pool holds at most keep_bytes. */
void pool_trim(struct pool *pool, uint64_t keep_bytes);

#endif
