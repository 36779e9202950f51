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
 * A pool allocates and frees frames in extents of 16 MiB. An idle extent is address space without
 * access. The pool opens it up, fills it as far as frames are wanted, and then registers it with
 * the userfaultfd, so that filling takes no fault. Extents are registered because slots are
 * destinations of UFFDIO_MOVE.
 *
 * A pool holds at most its cap, and grows only as far as the limits of the process, the node and
 * the machine allow (memory_room.h). Where pages leave more frames behind than the cap, or than the
 * jobs need, the pool frees an extent of them to make the next slots.
 *
 * Thread-safe. Only pool_make_ready() and pool_fill() grow a pool, and no lane calls them while it
 * has pages in flight.
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

/* BAYS_NONE is 0, so that books of bays that were never used need not be written. */
enum bay_list { BAYS_NONE, BAYS_FULL, BAYS_MIXED, BAYS_EMPTY, NR_BAY_LISTS };

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

enum extent_state {
	EXTENT_IDLE,
	EXTENT_CHANGING,
	EXTENT_ACTIVE,
	EXTENT_LOST, /* its mapping is in doubt, and never used again */
};

struct pool {
	struct futex_lock lock;
	int node;
	int uffd;
	bool huge; /* frames are transparent huge pages */
	/* On a machine with several nodes: shows which node a frame is on. Else NULL. */
	const struct memory_blocks *blocks;
	void *space; /* the whole reservation */
	size_t space_bytes;
	uintptr_t base;
	uint32_t nr_extents;
	uint32_t nr_used_extents; /* no extent from there on was ever used */
	struct bay *bays;
	uint8_t *extents; /* enum extent_state */
	uint32_t heads[NR_BAY_LISTS];
	uint64_t nr_resident; /* frames held, in extents that are being filled, too */
	uint64_t nr_filling;  /* frames that are being allocated and are not counted yet */
	uint64_t cap_pages;
	const _Atomic uint64_t *need_pages; /* what jobs need at once; NULL: as much as the cap */
	struct futex_lock *tight_lock;      /* of all pools; NULL: no other pool grows */
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
 * most that its idle frames may amount to. 0 or -errno. pool_close() accepts a zeroed pool.
 */
int __must_check pool_open(struct pool *pool, int node, bool huge,
			   const struct memory_blocks *blocks, int uffd, uint64_t cap_bytes);
void pool_close(struct pool *pool);

/* Allocates frames until the pool holds that many bytes. 0; -ENOMEM: no memory, or the cap. */
int pool_fill(struct pool *pool, uint64_t bytes, uint64_t stamp);

/*
 * Hands out nr_pages consecutive frames that are on the pool's node; if pages have migrated since
 * the bay's stamp, it looks the frames up again. 0; -EAGAIN: the pool would have to grow.
 */
int __must_check pool_take_frames(struct pool *pool, unsigned int nr_pages, uint64_t stamp,
				  struct span *out);
/* Hands out nr_pages consecutive holes. 0 or -EAGAIN as above. */
int __must_check pool_take_slot(struct pool *pool, unsigned int nr_pages, struct span *out);

/*
 * Makes nr_bays full bays of frames, or empty bays for slots, ready to be handed out, as far as
 * the cap and memory allow. Of frames it may allocate as many as nr_wanted_bays, which is what the
 * job has left to move, and adds their number to *nr_made. 0: at least one bay is ready. -ENOMEM:
 * none is.
 */
int __must_check pool_make_frames_ready(struct pool *pool, unsigned int nr_bays,
					uint64_t nr_wanted_bays, uint64_t stamp, uint64_t *nr_made);
int __must_check pool_make_slots_ready(struct pool *pool, unsigned int nr_bays);

/* Takes a span back. resident has a bit for each page, from its first, that now holds a frame. */
void pool_put(struct pool *pool, const struct span *span, const struct page_map *resident,
	      uint64_t stamp);

/* Hands out nothing of the span's bay until its extent has been emptied. */
void pool_distrust(struct pool *pool, const struct span *span);

/* How many bytes of frames the pool holds; 0 if pool is NULL. */
uint64_t pool_held_bytes(struct pool *pool);
/* True if addr is in the pool's address space. */
bool pool_contains(const struct pool *pool, uintptr_t addr);

/* Frees extents that have nothing handed out, until the pool holds at most keep_bytes. */
void pool_trim(struct pool *pool, uint64_t keep_bytes);

#endif
