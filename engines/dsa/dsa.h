/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Private to the DSA engine.
 *
 *	engine_batch ─ cut into pieces ─┬─ op: a batch descriptor, or a single ── portal
 *	                 requeued ──────┘         │ completion records
 *	                 (resumed, to be checked) ▼
 *	                                       pieces end, items get their state
 *
 * A piece is the part of an item that one descriptor copies. An op is one submission to a portal;
 * its descriptors and records are in vault memory that belongs to it until the device is done.
 */
#ifndef FERRY_DSA_H
#define FERRY_DSA_H

#include <stdatomic.h>

#include "engines/counts.h"
#include "engines/device/patience.h"
#include "engines/dsa/params.h"
#include "engines/dsa/portal.h"
#include "engines/engine.h"

#define DSA_MAX_PORTALS 64

/* Why an item is left to the CPU. */
enum dsa_reason {
	DSA_REASON_FAULT, /* page faults that resuming did not overcome */
	DSA_REASON_ERROR,
	DSA_REASON_REFUSED,      /* the device refused the descriptor */
	DSA_REASON_NOT_EXECUTED, /* no record although the batch has completed */
	DSA_REASON_FULL,
	DSA_REASON_NO_DEVICE,
	DSA_REASON_HUNG,
	DSA_REASON_VERIFY,
	DSA_REASON_NULL, /* the null model reports success and copies nothing */
	NR_DSA_REASONS
};

enum dsa_counter {
	DSA_CTR_DESCRIPTORS, /* copies and checks sent */
	DSA_CTR_BATCHES,
	DSA_CTR_SINGLES,
	DSA_CTR_BYTES,
	DSA_CTR_FULL, /* submissions that found the queue full */
	DSA_CTR_DRAINS,
	DSA_CTR_RESUMED,
	DSA_CTR_CPU_BYTES, /* copied by the CPU in parallel (cpu_fraction) */
	DSA_CTR_FAULT_READ,
	DSA_CTR_FAULT_WRITE,
	DSA_CTR_FAULT_LIST,
	DSA_CTR_TIMEOUTS, /* ops given up */
	DSA_CTR_STRAY,    /* ops whose memory the device may still write */
	DSA_CTR_FALLBACK, /* see counts_add_fallback() */
	DSA_CTR_STATUS = DSA_CTR_FALLBACK + 2 * NR_DSA_REASONS, /* completion records, by status */
	NR_DSA_CTRS = DSA_CTR_STATUS + 256
};

struct dsa_engine {
	struct engine engine;
	struct dsa_options options;
	struct dsa_model *model;
	struct dsa_portal *portals;
	uint32_t nr_portals;
	uint32_t max_piece_bytes; /* that every queue accepts */
	bool copies_nothing;      /* the null model */
	bool can_umwait;
	const struct copy_kernel *kernel; /* for what the CPU copies */
	struct counts_sum counts;
	uint64_t closed_counts[NR_DSA_CTRS];
};

enum dsa_piece_kind {
	DSA_PIECE_COPY,
	DSA_PIECE_CHECK, /* CRC of the destination, to be compared */
};

struct dsa_piece {
	struct engine_batch *batch;
	uint32_t item;
	uint8_t kind;
	uint8_t nr_resumes;
	bool touched; /* the destination may have been written */
	uint8_t *dst;
	const uint8_t *src;
	uint32_t len_bytes;
	uint32_t from, to; /* the part that is left to do */
	uint32_t seed;     /* CRC of [0, from) */
	uint32_t crc;      /* of the source, once copied */
};

enum dsa_op_state { DSA_OP_FREE, DSA_OP_FLYING, DSA_OP_STRAY };

struct dsa_op {
	struct dsa_hw_desc *descs;         /* 64-byte aligned; a batch's list */
	struct dsa_completion_record *crs; /* [0] for the whole, [1 + i] for pieces[i] */
	uint32_t *pieces;
	uint32_t nr_pieces;
	bool is_batch; /* else a single, with its record in crs[0] */
	uint8_t state;
	uint32_t portal; /* in the channel's order */
	struct patience patience;
};

#define DSA_NR_PIECES 4096
#define DSA_NR_DESCS  2048 /* of all ops of a channel */
#define DSA_STAGE     32   /* singles submitted at a time */

struct dsa_drain {
	struct dsa_completion_record cr __attribute__((aligned(DSA_CR_BYTES)));
	bool sent;
	bool done;
};

/* A ring of piece numbers. It has a slot for every piece, so it never overflows. */
struct dsa_ring {
	uint32_t *index;
	uint32_t head, nr;
};

struct dsa_portal_ref {
	struct dsa_portal *portal;
	bool near;         /* in the destination's package, or no device is known to be */
	uint32_t distance; /* 0: the destination's own node */
	struct dsa_drain drain;
};

struct dsa_channel {
	struct engine_channel channel;
	struct dsa_engine *engine;
	size_t map_bytes;
	uint32_t nr_portals;
	struct dsa_portal_ref *portals;

	struct dsa_piece *pieces;
	uint32_t *free_pieces;
	uint32_t nr_free_pieces;
	struct dsa_ring requeued;

	struct dsa_op *ops;
	uint32_t nr_ops, op_descs; /* descriptors per op */
	uint32_t *free_ops, *flying;
	uint32_t nr_free_ops, nr_flying, nr_stray;
	struct dsa_hw_desc *stage;

	struct engine_batch *feeding, **feeding_tail; /* not completely cut */
	uint64_t waiting_bytes;                       /* in `feeding` and `requeued` */
	struct patience turn; /* of these while nothing is in flight; until_ns 0: not begun */
	struct engine_batch *done, **done_tail;
	uint32_t nr_batches; /* accepted and not returned */
	uint32_t cpu_percent;

	struct counts counts;
	_Atomic uint64_t count_values[NR_DSA_CTRS];
};

static inline void dsa_add(struct dsa_channel *channel, unsigned int counter, uint64_t n)
{
	counts_add(&channel->counts, counter, n);
}

/* counters.c */
void dsa_counters(struct engine *engine, engine_counter_fn fn, void *arg);

/* open.c */
int dsa_open_portals(struct dsa_engine *engine, char *why, size_t why_bytes);
void dsa_close_portals(struct dsa_engine *engine);

/* pieces.c: cuts batches, ends pieces and items. */
void dsa_feed_batch(struct dsa_channel *channel, struct engine_batch *batch, uint32_t nr_items);
/* The next piece to send; -1 if there is none, or no room for one. */
int64_t dsa_next_piece(struct dsa_channel *channel);
bool dsa_pieces_wait(const struct dsa_channel *channel);
/* The number of near devices that are not dead; at least 1. */
uint32_t dsa_nr_near_alive(const struct dsa_channel *channel);
void dsa_requeue_piece(struct dsa_channel *channel, uint32_t piece);
/* The device has completed the piece with this status; 0: it has not executed it. */
void dsa_piece_answered(struct dsa_channel *channel, uint32_t piece, uint8_t status,
			const struct dsa_completion_record *cr);
/* No device will copy the piece, for this reason. */
void dsa_piece_abandoned(struct dsa_channel *channel, uint32_t piece, enum dsa_reason reason);
/* No device is left: no item of the batch was attempted. */
void dsa_batch_declined(struct dsa_channel *channel, struct engine_batch *batch);
void dsa_piece_stray(struct dsa_channel *channel, uint32_t piece);
/* Abandons what waits of batches submitted until came_ns. */
void dsa_abandon_waiting(struct dsa_channel *channel, uint64_t came_ns, enum dsa_reason reason);

/* ops.c: sends pieces and reaps completions. */
void dsa_send_waiting(struct dsa_channel *channel);
void dsa_reap(struct dsa_channel *channel);
/* One round of waiting: spins, then UMWAIT, then yields the CPU. */
void dsa_relax(struct dsa_channel *channel, uint32_t *nr_rounds);

/* stray.c: true if no device can write STRAY memory of this channel any more. Does not wait. */
bool dsa_channel_is_quiet(struct dsa_channel *channel);
/* True if that holds for the channel's own memory as well, where a drain reports. */
bool dsa_channel_is_released(struct dsa_channel *channel);

/* channel.c */
int dsa_channel_open(struct engine *engine, int near_node, struct engine_channel **out);
void dsa_channel_close(struct engine_channel *channel);
enum engine_verdict dsa_submit(struct engine_channel *channel, struct engine_batch *batch);
uint32_t dsa_poll(struct engine_channel *channel, uint64_t wait_ns, struct engine_batch **done,
		  uint32_t max);
bool dsa_quiet(struct engine_channel *channel);

#endif
