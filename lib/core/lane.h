/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A lane is what one worker needs to move pages, by either mover. Its parcels are the pages that it
 * has in flight; its fallback gathers the pages that go to the kernel mover. Lives in vault memory.
 */
#ifndef FERRY_LANE_H
#define FERRY_LANE_H

#include "base/base.h"
#include "base/bits.h"
#include "engines/engine.h"
#include "include/pageferry.h"
#include "lib/core/slice.h"
#include "lib/core/tally.h"
#include "lib/nodes/threads.h"
#include "lib/pool/pools.h"

/*
 * The most parcels that a lane has in flight. Increasing this lets a lane gather more and keeps
 * deeper engines busy; decreasing it saves memory per lane.
 */
#define LANE_PARCELS 32

struct ferry;
struct ferry_job;
struct window;

/*
 * Up to 2 MiB of pages in flight, from take-out to put-in. At every instant the content of each
 * page is either at its address or in the slot.
 */
struct parcel {
	/*
	 * Shared with the watcher. A lane changes these only inside the `move_gate` of the
	 * context, the watcher only while that gate is shut.
	 */
	bool live;               /* pages may be in flight */
	bool disturbed;          /* the mapping has changed: home and dropped are valid */
	uintptr_t at;            /* the address of the first page */
	struct page_map dropped; /* pages that the program has discarded meanwhile */

	/* Read by the watcher, and constant while the parcel is live. */
	unsigned int nr_pages;
	struct span slot; /* of the source pool: the pages are here while they are in flight */

	/* The rest is the lane's. */
	uint64_t first_position;
	struct window *window; /* that it keeps open */
	int node;              /* the destination */
	struct pool *source, *target;
	bool huge;                /* one huge page, in the pools for huge frames */
	struct span frames;       /* of the target pool: the copies */
	struct threads_look look; /* the threads that were looked at before the take-out */
	bool met_deaths;          /* it was put in, and threads that exited are not served yet */
	struct parcel *next;

	/* what happened to the pages so far */
	bool came_apart;         /* huge, but not moved as a whole */
	bool recheck;            /* off the fast path: rescan the pagemap before accounting */
	unsigned int nr_rounds;  /* of put-in that failed */
	struct page_map taken;   /* in the slot, to be copied */
	struct page_map back;    /* in the slot, to be put back from there */
	struct page_map arrived; /* put in from the frames: moved */
	struct page_map stray;   /* their frames may still be written by a device that hangs */
	uint64_t taken_out_ns;   /* when the pages were taken out */
	uint64_t stall_ns;       /* after put-in: how long they were in flight */

	/* the copy */
	struct engine_channel *channel;
	struct engine_batch batch;
	struct engine_item items[PAGES_PER_HUGE];

	/* Shared with the watcher as above; the last, because it is rarely used. */
	uintptr_t home[PAGES_PER_HUGE]; /* the address of each page */
};

/* Pages that a lane has gathered for the kernel mover. */
struct fallback {
	unsigned int nr;
	uintptr_t pages[SLICE_MAX_PAGES];
	uint64_t positions[SLICE_MAX_PAGES];
	uint8_t reasons[SLICE_MAX_PAGES]; /* enum ferry_reason: why not the exchange mover */
	int nodes[SLICE_MAX_PAGES];       /* destinations */
	int before[SLICE_MAX_PAGES];      /* the node before the move; STATUS_UNSET: unknown */
	int status[SLICE_MAX_PAGES];
};

/* Which pages of the fallback each entry of a slice stands for. */
struct thp_dedup {
	int pagemap_fd; /* of the job's process */
	unsigned int first[SLICE_MAX_PAGES];
	uint16_t nr[SLICE_MAX_PAGES];
};

/*
 * The state of one worker, or of a caller that helps. The kernel provides its memory as it is used:
 * few lanes need much of it.
 */
struct lane {
	struct ferry *ferry;
	unsigned int door;     /* of the context's gates */
	struct ferry_job *job; /* the job that it works on now */
	struct tally tally;    /* of that job */
	uint64_t chunk_bytes;  /* of the next chunk */

	/* parcels */
	unsigned int gather;       /* parcels to take out before they are copied */
	unsigned int nr_in_flight; /* parcels in flight */
	unsigned int nr_live;      /* live parcels; shared with the watcher, as parcel.live is */
	struct engine_channel *channels[MAX_POOL_NODES]; /* by destination */
	struct engine_channel *channel;                  /* of the chunk being worked on */
	struct parcel *quarantined; /* they hold frames that a device may still write */
	struct parcel *free;
	unsigned int nr_used_parcels; /* no parcel from there on was ever used */
	struct parcel parcels[LANE_PARCELS];

	/* cpu_pressure.c */
	long nr_preempted;       /* involuntary context switches, when last read */
	uint64_t waited_ns;      /* time that the thread has waited for a CPU, when last read */
	uint64_t fresh_since_ns; /* it has had its CPU since then, at the earliest */

	/* the kernel mover */
	unsigned int most_gathered; /* pages at once, since lane_release_memory() */
	struct fallback fallback;
	struct slice slice;
	struct thp_dedup dedup;
} __cacheline_aligned;

/* Gives back what the kernel mover has used for many pages. Nothing is gathered. */
void lane_release_memory(struct lane *lane);

/* Counts pages of the job as settled, and notes the time if they are the first of this lane. */
void lane_note_done(struct lane *lane, unsigned int nr_pages);
/* Sets the status of the page at a position of the job, or of nr_pages from there on. */
void lane_settle(struct lane *lane, uint64_t position, int status);
void lane_settle_run(struct lane *lane, uint64_t position, unsigned int nr_pages, int status);

#endif
