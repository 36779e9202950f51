/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Private to the engine that splits batches among other engines, its parts.
 *
 *	engine_batch ─ shares (policy/split.h) ─ flight: pieces ─┬─ batches of devices
 *	                                                         └─ batches of the base
 *
 * The base is the part that copies in the caller's threads, the CPU, or else the last one. A flight
 * is a batch that has been accepted; a piece is consecutive items of it for one part, or a fragment
 * of one item. The parts write the states of whole items where the caller will read them; those of
 * fragments are merged when the flight ends.
 */
#ifndef FERRY_SPLIT_ENGINE_H
#define FERRY_SPLIT_ENGINE_H

#include "engines/counts.h"
#include "engines/split.h"

/* Pieces in which the base copies its share, so that the devices are looked at in between. */
#define SPLIT_BASE_PIECES 8
/* Each part has a fragment at either end of its whole items. */
#define SPLIT_PIECES (3 * SPLIT_PARTS + SPLIT_BASE_PIECES)
/* At least the largest depth of an engine and the most batches that the CPU holds back. */
#define SPLIT_FLIGHTS 64

enum split_count {
	SPLIT_BATCHES,  /* of which the part got a share */
	SPLIT_BYTES,    /* that it was given */
	SPLIT_COPIED,   /* of them, that it has copied */
	SPLIT_PROBES,   /* shares that were probes */
	SPLIT_BUSY,     /* pieces that it refused */
	SPLIT_DECLINED, /* items that no part accepted, counted at the base */
	SPLIT_LEFT,     /* times that it was left for its failures or its speed */
	SPLIT_BACK,     /* times that it was taken (back) into use */
	NR_SPLIT_COUNTS
};

struct split_engine {
	struct engine engine;
	unsigned int nr_parts;
	/* What one channel has learned, for the others. */
	struct split_member {
		struct engine *engine;
		char name[16]; /* that its counters begin with */
		_Atomic uint64_t ns_per_mib;
		atomic_bool in_use;
		atomic_uint nr_changes; /* of in_use */
	} parts[SPLIT_PARTS];
	struct counts_sum counts;
	uint64_t closed_counts[SPLIT_PARTS * NR_SPLIT_COUNTS];
};

struct split_flight;

struct split_piece {
	struct engine_batch batch; /* owner: the piece */
	struct split_flight *flight;
	unsigned int part;
	bool is_fragment;
	uint32_t item; /* of a fragment: of the caller's batch */
	struct engine_item fragment;
};

struct split_flight {
	struct engine_batch *whole; /* NULL: free */
	uint32_t nr_pieces;
	uint32_t nr_open; /* pieces that have not ended */
	struct split_piece pieces[SPLIT_PIECES];
};

struct split_channel {
	struct engine_channel channel;
	struct engine_channel *parts[SPLIT_PARTS];
	struct split_part known[SPLIT_PARTS];
	unsigned int seen_changes[SPLIT_PARTS];
	uint32_t nr_open[SPLIT_PARTS];          /* pieces that the part has queued */
	uint64_t last_look_ns[SPLIT_PARTS];     /* when it was last seen not to have ended any */
	struct split_result ended[SPLIT_PARTS]; /* since then */
	unsigned int base_alone;    /* did the base copy the latest batch in one thread? */
	double base_ns_per_byte[2]; /* for the other case */
	uint64_t exit_ns;           /* when the caller last left */
	uint64_t other_work_ns;     /* smoothed: what it does until the next batch */
	struct engine_batch *done, **done_tail;
	unsigned int nr_flights;
	struct split_flight flights[SPLIT_FLIGHTS];
	struct counts counts;
	_Atomic uint64_t count_values[SPLIT_PARTS * NR_SPLIT_COUNTS];
};

static inline struct split_engine *split_engine_of(const struct split_channel *channel)
{
	return CONTAINER_OF(channel->channel.engine, struct split_engine, engine);
}

/* cut.c: cuts the batch into pieces of so many bytes for each part, about. */
void split_cut(struct split_flight *flight, const uint64_t *bytes, unsigned int nr_parts);

/* channel.c */
enum engine_verdict split_submit(struct engine_channel *channel, struct engine_batch *batch);
uint32_t split_poll(struct engine_channel *channel, uint64_t wait_ns, struct engine_batch **done,
		    uint32_t max);

#endif
