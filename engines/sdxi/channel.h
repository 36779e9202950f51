/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A channel: one thread's context, and the batches in flight on its ring.
 *
 *	RUNNING ──timeout, error state──▶ STOPPING ──STOP_SW──▶ restarted, RUNNING again
 *	                                     │ not confirmed in time
 *	                                     ▼
 *	                                  STRAYED ──STOP_SW──▶ restarted, RUNNING again
 *
 * Every descriptor has a completion status block of its own, at the index of its slot. A block that
 *a whole batch counts down would be cheaper to poll, but its error bit does not tell which item
 * failed, so every item would have to be copied again. Its result would also depend on the
 * completion mode (counting or plain) of the function; with a signal of 1 both modes end in 0.
 *
 * Read_Index counts descriptors that were read, not those that have ended: a slot may be free while
 * its status block is in use. So the channel has at most as many descriptors in flight as there are
 * blocks, counted from the oldest descriptor that has not ended.
 */
#ifndef FERRY_SDXI_CHANNEL_H
#define FERRY_SDXI_CHANNEL_H

#include <stdatomic.h>

#include "engines/counts.h"
#include "engines/engine.h"
#include "engines/sdxi/context.h"

#define SDXI_DEPTH 8 /* batches in flight per channel */

/* Why an item is left to the CPU. */
enum sdxi_reason {
	SDXI_REASON_ERROR,   /* er in the completion status block */
	SDXI_REASON_STOPPED, /* read by the function, not ended when the context stopped */
	SDXI_REASON_UNREAD,  /* not read by the function, or never in the ring, at that time */
	SDXI_REASON_HUNG,    /* not ended, and the stop was not confirmed */
	SDXI_REASON_REFUSED, /* the context was not running */
	SDXI_REASON_NULL,    /* the null backend reports success and copies nothing */
	SDXI_NR_REASONS,
};

enum sdxi_count {
	SDXI_COUNT_DESCRIPTORS,
	SDXI_COUNT_BATCHES,
	SDXI_COUNT_BYTES,
	SDXI_COUNT_DOORBELLS,
	SDXI_COUNT_RING_FULL,
	SDXI_COUNT_BUSY,
	SDXI_COUNT_TIMEOUTS,
	SDXI_COUNT_STOPPED_BY_FUNCTION,
	SDXI_COUNT_RESTARTS,
	SDXI_COUNT_FALLBACK, /* see counts_add_fallback() */
	SDXI_COUNT_SUCCESS = SDXI_COUNT_FALLBACK + 2 * SDXI_NR_REASONS, /* blocks without er */
	SDXI_COUNT_STATE, /* states other than RUN in which a context in use was found */
	SDXI_NR_COUNTS = SDXI_COUNT_STATE + SDXI_CXT_STATE_MASK + 1,
};

/* Values of engine_item.detail. */
enum sdxi_detail {
	SDXI_DETAIL_NONE,
	SDXI_DETAIL_ERROR_BIT, /* er in the completion status block */
	SDXI_DETAIL_STOPPED,   /* read by the function, not ended when the context stopped */
	SDXI_DETAIL_STRAY,     /* not ended, and the stop was not confirmed */
	SDXI_DETAIL_NULL,      /* ended by the null backend */
};

struct sdxi_engine {
	struct engine engine;
	struct sdxi_backend *backend;
	uint64_t timeout_ns;
	struct counts_sum counts;
	uint64_t closed_counts[SDXI_NR_COUNTS];
	_Atomic(struct sdxi_channel *)
		unstopped; /* closed before the function confirmed the stop */
};

enum sdxi_phase { SDXI_RUNNING, SDXI_STOPPING, SDXI_STRAYED, SDXI_RETIRED };

struct sdxi_channel {
	struct engine_channel channel;
	struct sdxi_engine *engine;
	struct sdxi_context cxt;
	enum sdxi_phase phase;
	uint64_t stop_deadline_ns;
	uint64_t next_index; /* of the next descriptor */
	uint64_t outstanding_bytes;
	unsigned int nr_queued;
	struct engine_batch *head, *tail; /* by age, linked through next */
	struct engine_batch *unfed;       /* the first that is not completely in the ring */
	struct sdxi_channel *next_unstopped;
	struct counts counts;
	_Atomic uint64_t count_values[SDXI_NR_COUNTS];
};

static inline void sdxi_count(struct sdxi_channel *channel, unsigned int which, uint64_t n)
{
	counts_add(&channel->counts, which, n);
}

/* flight.c: batches in flight. add only queues the batch; feed puts items of queued ones in. */
void sdxi_flights_add(struct sdxi_channel *channel, struct engine_batch *batch, uint64_t now_ns);
/* 0, also if the ring is full; -errno if it is broken. */
int sdxi_flights_feed(struct sdxi_channel *channel);
/* Removes up to max batches whose items have all ended. Returns their number. */
uint32_t sdxi_flights_take(struct sdxi_channel *channel, struct engine_batch **done, uint32_t max);
bool sdxi_flights_are_overdue(const struct sdxi_channel *channel, uint64_t now_ns);
/*
 * Ends everything in flight. stopped: the function has confirmed the stop, so it will not execute
 * what it has not read. Otherwise it may still execute everything in the ring.
 */
void sdxi_flights_end(struct sdxi_channel *channel, bool stopped);
/* Leaves all items of a batch to the CPU. */
void sdxi_flights_decline(struct sdxi_channel *channel, struct engine_batch *batch);

/* counters.c */
void sdxi_counters(struct engine *engine, engine_counter_fn fn, void *arg);

/* channel.c */
int sdxi_channel_open(struct engine *engine, int near_node, struct engine_channel **out);
void sdxi_channel_close(struct engine_channel *channel);
enum engine_verdict sdxi_channel_submit(struct engine_channel *channel, struct engine_batch *batch);
uint32_t sdxi_channel_poll(struct engine_channel *channel, uint64_t wait_ns,
			   struct engine_batch **done, uint32_t max);
bool sdxi_channel_quiet(struct engine_channel *channel);
/* Frees unstopped channels; the backend must be closed. */
void sdxi_channel_free_unstopped(struct sdxi_engine *engine);

#endif
