/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to the SDXI model: rules, execution, contexts and engines. */
#ifndef FERRY_SDXI_MODEL_INTERNAL_H
#define FERRY_SDXI_MODEL_INTERNAL_H

#include <stdatomic.h>

#include "base/futex.h"
#include "base/thread.h"
#include "models/sdxi/model.h"

/* Per context: descriptors that were read and have not ended. They may run in any order. */
#define WINDOW 32

enum pending_state {
	PENDING_FREE,
	PENDING_READY,
	PENDING_RUNNING,
	PENDING_HUNG,  /* a stop drops it */
	PENDING_STRAY, /* runs late after a stop */
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
	uint64_t serial; /* number of contexts started before */

	/* set up by the producer */
	struct sdxi_desc *descs;
	uint32_t nr_entries;
	struct sdxi_cxt_sts *sts;
	const uint64_t *write_index;
	const struct sdxi_akey_ent *akeys;
	uint32_t nr_akeys;
	uint64_t max_buffer_bytes;

	uint64_t read_index;
	uint64_t seen_write_index;
	uint64_t doorbell;     /* the highest so far */
	struct sdxi_desc peek; /* a valid descriptor seen but not yet read: it must not change */
	bool peeked;
	bool clears_valid; /* clears the valid bits of what it has read: functions may or may not */
	bool stop_asked;
	uint8_t stop_as; /* enum sdxi_cxt_state of a stop by the function itself */
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
	atomic_uint work; /* futex: changes when there may be work for an engine */
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

static inline void sdxi_model_count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static inline void sdxi_model_breach(struct sdxi_model *model, enum sdxi_rule rule)
{
	sdxi_model_count(&model->breaches[rule]);
}

/* rules.c: the first rule broken, SDXI_RULE_NONE if none. */
enum sdxi_rule sdxi_check_context(const struct sdxi_cxt_l1_ent *l1);
enum sdxi_rule sdxi_check_desc(const struct sdxi_model_context *cxt, const struct sdxi_desc *desc);

/*
 * execute.c: executes one descriptor with its faults and writes its status block. Called without
 * the lock; true if the context must stop.
 */
bool sdxi_execute(struct sdxi_model_context *cxt, struct pending *pending);

/*
 * context.c, all under the lock of the context: reads valid descriptors into the window; picks one
 * to run, NULL if none can run; ends it.
 */
void sdxi_fetch(struct sdxi_model_context *cxt);
struct pending *sdxi_pick(struct sdxi_model_context *cxt);
void sdxi_end(struct sdxi_model_context *cxt, struct pending *pending, bool stop);
/* The function stops the context itself. */
void sdxi_fail(struct sdxi_model_context *cxt, enum sdxi_cxt_state stop_as);
/* Advances a context that stops; true if it must be called again later. */
bool sdxi_settle(struct sdxi_model_context *cxt);

#endif
