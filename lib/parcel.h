/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A parcel: pages that are out, from take-out to put-in.
 *
 * At every instant the content of each of its pages is either at its address or in the slot.
 * The lane that owns a parcel and the watcher share it; what is marked (gate) is changed only
 * inside the context's `moves` gate, or by the watcher with that gate shut.
 */
#ifndef FERRY_PARCEL_H
#define FERRY_PARCEL_H

#include "base/base.h"
#include "base/bits.h"
#include "engines/engine.h"
#include "include/pageferry.h"
#include "lib/pool.h"

struct lane;

struct parcel {
	bool live;      /* (gate) pages may be out */
	bool disturbed; /* (gate) `where` and `dropped` count: the mapping changed meanwhile */
	uintptr_t at;   /* (gate) where the pages belong */
	unsigned int nr_pages;
	struct page_map dropped;         /* (gate) discarded by the program meanwhile */
	uintptr_t where[PAGES_PER_HUGE]; /* (gate) where each page belongs, if disturbed */

	struct pool *source, *target;
	bool huge;
	bool came_apart; /* huge, but not moved as one */
	bool uneasy;     /* something did not go the plain way: look before you count */
	struct span slot, frames;
	uint64_t out_since_ns;
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

enum parcel_start {
	PARCEL_READY,   /* out, the engine has done with it: finish it */
	PARCEL_QUEUED,  /* out; the engine's poll will bring it */
	PARCEL_REFUSED, /* nothing is out: the kernel refused the first page */
	PARCEL_NO_FRAMES,
	PARCEL_LATER,   /* nothing is out: first bring in what else this lane has out */
	PARCEL_CHANGED, /* nothing is out: the program has unmapped or discarded some of it */
};

/*
 * Takes out nr_pages pages at `at` and hands them to the lane's engine channel. source, target,
 * huge and node are set by the caller. Fewer pages may come out than were asked for.
 */
enum parcel_start parcel_start(struct lane *lane, struct parcel *parcel, uintptr_t at,
			       unsigned int nr_pages);

/*
 * After the engine: the CPU copies what it left, everything is put in, spans go back to their
 * pools. Cannot fail: what has not arrived is where it was. Returns false if frames must be kept in
 * quarantine, and with them the parcel, until parcel_release.
 */
bool parcel_finish(struct lane *lane, struct parcel *parcel);

/* The device is quiet: quarantined frames are frames again. */
void parcel_release(struct lane *lane, struct parcel *parcel);

#endif
