/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One SDXI context: the memory it shares with a function, its ring, and the way in to the function.
 *
 * The way in is a seam: the channel works on memory and the calls below, whoever is behind them.
 * Today that is the model (way_model.c), or nobody (way_null.c).
 */
#ifndef FERRY_SDXI_CONTEXT_H
#define FERRY_SDXI_CONTEXT_H

#include "engines/engine.h"
#include "engines/sdxi/ring.h"

#define SDXI_RING_ENTRIES 1024
#define SDXI_NR_AKEYS     256
/* Entry 0 stays invalid: a descriptor whose akeys were forgotten must not pass. */
#define SDXI_OWN_AKEY 1

struct sdxi_context;

struct sdxi_way {
	const struct sdxi_way_ops *ops;
};

/* Called while pages are out, except start and close: engine.h's rules hold. */
struct sdxi_way_ops {
	bool copies_nothing; /* says that all went well, and did nothing */
	/* Lets the function run the context's memory. 0, -ENOSPC all contexts in use, -EINVAL. */
	int (*start)(struct sdxi_way *way, struct sdxi_context *cxt);
	/* From index 0 again; only in state STOP_SW. 0 or -errno: it stays stopped. */
	int (*restart)(struct sdxi_context *cxt);
	void (*doorbell)(struct sdxi_context *cxt, uint64_t write_index);
	/* Asks for a stop; confirmed by CXT_STS.state STOP_SW. Does not wait. */
	void (*stop)(struct sdxi_context *cxt);
	/* Gives the context back; only in state STOP_SW. */
	void (*release)(struct sdxi_context *cxt);
	void (*counters)(struct sdxi_way *way, engine_counter_fn fn, void *arg); /* may be NULL */
	/* After this the function writes to no context any more. */
	void (*close)(struct sdxi_way *way);
};

/* What the function reads and writes, in one block of vault memory. */
struct sdxi_shared {
	struct sdxi_desc descs[SDXI_RING_ENTRIES];
	struct sdxi_cst_blk csbs[SDXI_RING_ENTRIES];
	struct sdxi_akey_ent akeys[SDXI_NR_AKEYS] __attribute__((aligned(4096)));
	struct sdxi_cxt_l1_ent l1 __cacheline_aligned;
	struct sdxi_cxt_ctl ctl __cacheline_aligned;
	struct sdxi_cxt_sts sts __cacheline_aligned;
	uint64_t write_index __cacheline_aligned;
};

struct sdxi_context {
	struct sdxi_way *way;
	void *way_context; /* the way's own */
	struct sdxi_ring ring;
	struct sdxi_shared *shared;
};

/* Allocates and starts. 0, -ENOMEM, -ENOSPC. */
int __must_check sdxi_context_open(struct sdxi_way *way, struct sdxi_context *cxt);
/* Frees the memory: only once the function can't write to it, see sdxi_context_stopped(). */
void sdxi_context_free(struct sdxi_context *cxt);
/* Clears the ring and starts over, in state STOP_SW. */
int __must_check sdxi_context_restart(struct sdxi_context *cxt);

static inline uint8_t sdxi_context_state(const struct sdxi_context *cxt)
{
	return __atomic_load_n(&cxt->shared->sts.state, __ATOMIC_ACQUIRE) & SDXI_CXT_STATE_MASK;
}

/* A stop that was asked for is confirmed: nothing of this context reads or writes any more. */
static inline bool sdxi_context_stopped(const struct sdxi_context *cxt)
{
	return sdxi_context_state(cxt) == SDXI_CXT_STOP_SW;
}

extern struct sdxi_way sdxi_way_null;

struct sdxi_model_config;
int __must_check sdxi_way_model_open(const struct sdxi_model_config *config, struct sdxi_way **out);

/*
 * Is there hardware to use? Never yet: -ENODEV or -EOPNOTSUPP with the first thing missing in why.
 * The roots are "" outside tests.
 */
int __must_check sdxi_device_probe(const char *sys_root, const char *dev_root, char *why,
				   size_t why_bytes);

#endif
