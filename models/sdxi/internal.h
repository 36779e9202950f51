/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the parts of the software function: rules, execution, contexts and engines. */
#ifndef FERRY_SDXI_MODEL_INTERNAL_H
#define FERRY_SDXI_MODEL_INTERNAL_H

#include <stdatomic.h>

#include "base/futex.h"
#include "base/thread.h"
#include "models/sdxi/model.h"

/* Descriptors read but not ended, per context: what may run in any order. */
#define WINDOW 32

enum pending_state {
	PENDING_FREE,
	PENDING_READY,
	PENDING_RUNNING,
	PENDING_HUNG,  /* a stop drops it */
	PENDING_STRAY, /* a stop lets it run late */
};

struct pending {
	struct sdxi_desc desc;
	struct model_prng prng;
	enum pending_state state;
	enum sdxi_rule broken;
	uint32_t faults; /* bit per enum sdxi_fault */
};

struct sdxi_model_context {
	struct sdxi_model *model;
	struct futex_lock lock;
	bool used;
	uint64_t serial; /* how many were started before it */

	/* what the producer set up */
	struct sdxi_desc *descs;
	uint32_t nr_entries;
	struct sdxi_cxt_sts *sts;
	const uint64_t *write_index;
	const struct sdxi_akey_ent *akeys;
	uint32_t nr_akeys;
	uint64_t max_buffer_bytes;

	uint64_t read_index;
	uint64_t seen_write_index;
	uint64_t doorbell;     /* the highest rung */
	struct sdxi_desc peek; /* a valid descriptor seen but not yet read: it must not change */
	bool peeked;
	bool clears_valid; /* does this function clear valid bits? both kinds exist */
	bool stop_asked;
	uint8_t stop_as; /* enum sdxi_cxt_state when the function stops it itself */
	uint64_t stray_until_ns;
	unsigned int nr_pending;
	unsigned int nr_running;
	struct model_prng order;
	struct pending window[WINDOW];
};

struct model_engine {
	struct sdxi_model *model;
	struct thread thread;
};

struct sdxi_model {
	struct sdxi_model_config config;
	struct model_engine engines[SDXI_MODEL_MAX_ENGINES];
	unsigned int nr_started;
	atomic_uint work; /* futex: changes with everything an engine should look at */
	atomic_uint nr_asleep;
	atomic_bool closing;
	_Atomic uint64_t nr_contexts_started;

	_Atomic uint64_t descriptors;
	_Atomic uint64_t late_doorbells;
	_Atomic uint64_t interrupts;
	_Atomic uint64_t faults[SDXI_NR_FAULTS];
	_Atomic uint64_t breaches[SDXI_NR_RULES];

	struct sdxi_model_context contexts[SDXI_MODEL_MAX_CONTEXTS];
};

static inline void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static inline void breach(struct sdxi_model *model, enum sdxi_rule rule)
{
	count(&model->breaches[rule]);
}

/* rules.c: the first rule broken, SDXI_RULE_NONE if none. */
enum sdxi_rule sdxi_check_context(const struct sdxi_cxt_l1_ent *l1);
enum sdxi_rule sdxi_check_desc(const struct sdxi_model_context *cxt, const struct sdxi_desc *desc);

/*
 * execute.c: moves the bytes of one descriptor with what befalls it and writes its status block.
 * Called without the lock; true if the context must stop.
 */
bool sdxi_execute(struct sdxi_model_context *cxt, struct pending *pending);

/*
 * context.c, all under the context's lock.
 * Reads valid descriptors into the window; picks one to run, NULL if none can; books its end.
 */
void sdxi_fetch(struct sdxi_model_context *cxt);
struct pending *sdxi_pick(struct sdxi_model_context *cxt);
void sdxi_end(struct sdxi_model_context *cxt, struct pending *pending, bool stop);
/* The function stops the context itself. */
void sdxi_fail(struct sdxi_model_context *cxt, enum sdxi_cxt_state stop_as);
/* Moves a stopping context on; true while it must be looked at again later. */
bool sdxi_settle(struct sdxi_model_context *cxt);

#endif
