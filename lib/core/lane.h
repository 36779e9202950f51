/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A lane: one worker's share of the exchange and kernel movers, in vault memory. Its parcels are
 * the pages that it has in flight; its fallback is what it could not exchange.
 */
#ifndef FERRY_LANE_H
#define FERRY_LANE_H

#include "base/base.h"
#include "base/bits.h"
#include "engines/engine.h"
#include "include/pageferry.h"
#include "lib/core/slice.h"
#include "lib/core/tally.h"
#include "lib/pool/pools.h"

#define LANE_PARCELS 32

struct ferry;
struct ferry_job;

/*
 * A parcel: pages that are out, from take-out to put-in.
 *
 * At every instant the content of each of its pages is either at its address or in the slot.
 * The lane that owns a parcel and the watcher share it; what is marked (gate) is changed only
 * inside the context's `move_gate`, or by the watcher with that gate shut.
 */
struct parcel {
	bool live;      /* (gate) pages may be out */
	bool disturbed; /* (gate) `home` and `dropped` count: the mapping changed meanwhile */
	uintptr_t at;   /* (gate) where the pages belong */
	unsigned int nr_pages;
	struct page_map dropped;        /* (gate) discarded by the program meanwhile */
	uintptr_t home[PAGES_PER_HUGE]; /* (gate) where each page belongs, if disturbed */

	struct pool *source, *target;
	bool huge;
	bool came_apart; /* huge, but not moved as one */
	bool recheck;    /* something did not go the plain way: look before you count */
	struct span slot, frames;
	uint64_t taken_out_ns;   /* when its take-out began */
	uint64_t stall_ns;       /* after put-in: how long it was in flight */
	unsigned int nr_rounds;  /* of put-in, that failed */
	struct page_map taken;   /* in the slot, to be copied */
	struct page_map back;    /* in the slot, to go back from there */
	struct page_map arrived; /* put in from the frames: moved */
	struct page_map stray;   /* frames that a hung device may still write */
	struct engine_batch batch;
	struct engine_item items[PAGES_PER_HUGE];

	/* the lane's */
	uint64_t first_position;
	int node;
	struct engine_channel *channel;
	struct parcel *next;
};

/* Pages that a lane could not exchange, on their way to the kernel mover. */
struct fallback {
	unsigned int nr;
	uintptr_t pages[SLICE_MAX_PAGES];
	uint64_t positions[SLICE_MAX_PAGES];
	uint8_t reasons[SLICE_MAX_PAGES];
	int nodes[SLICE_MAX_PAGES];
	int before[SLICE_MAX_PAGES]; /* where they were, or STATUS_UNSET if nobody looked */
	int status[SLICE_MAX_PAGES];
};

/* For which of the gathered pages each page of a slice stands. */
struct thp_dedup {
	int pagemap_fd; /* of the job's process */
	unsigned int first[SLICE_MAX_PAGES];
	uint16_t nr[SLICE_MAX_PAGES];
};

/* One worker's own, in vault memory. */
struct lane {
	struct ferry *ferry;
	unsigned int door;
	struct ferry_job *job; /* the one it works on now */
	struct tally tally;
	uint64_t chunk_bytes;
	unsigned int gather;       /* parcels to have out before they are copied */
	unsigned int nr_in_flight; /* parcels in flight */
	unsigned int nr_live;      /* (gate) parcels that are live */
	long nr_preempted;         /* involuntary context switches, when last looked at */
	uint64_t waited_ns;        /* for a CPU, when last looked at */
	uint64_t fresh_since_ns;   /* it has had its CPU since then, at the earliest */
	struct engine_channel *channels[MAX_POOL_NODES];
	struct engine_channel *channel; /* the one of the chunk at hand */
	struct parcel *quarantined;
	struct parcel *free;
	struct parcel parcels[LANE_PARCELS];
	struct fallback fallback;
	struct slice slice;
	struct thp_dedup dedup;
} __cacheline_aligned;

/* Counts pages as settled; the first of a job is noted with its time. */
void lane_note_done(struct lane *lane, unsigned int nr_pages);
void lane_settle(struct lane *lane, uint64_t position, int status);
void lane_settle_run(struct lane *lane, uint64_t position, unsigned int nr_pages, int status);

#endif
