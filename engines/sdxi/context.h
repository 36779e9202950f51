/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One SDXI context: the memory that it shares with a function, its ring and its backend. */
#ifndef FERRY_SDXI_CONTEXT_H
#define FERRY_SDXI_CONTEXT_H

#include "engines/sdxi/backend.h"
#include "engines/sdxi/ring.h"

#define SDXI_RING_ENTRIES 1024
#define SDXI_NR_AKEYS     256
/* Entry 0 stays invalid, so that a descriptor without akeys is refused. */
#define SDXI_OWN_AKEY 1

/* What the function reads and writes: one block of vault memory. */
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
	struct sdxi_backend *backend;
	void *backend_context; /* private to the backend */
	struct sdxi_ring ring;
	struct sdxi_shared *shared;
};

/* Allocates the memory and starts the context. 0, -ENOMEM, -ENOSPC. */
int __must_check sdxi_context_open(struct sdxi_backend *backend, struct sdxi_context *cxt);
/* Frees the memory. The function must not write to it any more: sdxi_context_stopped(). */
void sdxi_context_free(struct sdxi_context *cxt);
/* Clears the ring and starts the context again; only in state STOP_SW. */
int __must_check sdxi_context_restart(struct sdxi_context *cxt);

static inline uint8_t sdxi_context_state(const struct sdxi_context *cxt)
{
	return __atomic_load_n(&cxt->shared->sts.state, __ATOMIC_ACQUIRE) & SDXI_CXT_STATE_MASK;
}

/* The function has confirmed a stop request: it accesses nothing for this context any more. */
static inline bool sdxi_context_stopped(const struct sdxi_context *cxt)
{
	return sdxi_context_state(cxt) == SDXI_CXT_STOP_SW;
}

#endif
