/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is behind a context. The channel needs memory and the calls below only: the backend may be
 * the software model (backend_model.c), nothing at all (backend_null.c), or one day a driver.
 */
#ifndef FERRY_SDXI_BACKEND_H
#define FERRY_SDXI_BACKEND_H

#include "engines/engine.h"

struct sdxi_context;

struct sdxi_backend {
	const struct sdxi_backend_ops *ops;
};

/* The rules of engine.h for a batch being served hold in all but start and close. */
struct sdxi_backend_ops {
	bool copies_nothing; /* reports success for every descriptor and copies none */
	/* Lets the function run the context. 0, -ENOSPC if all contexts are in use, -EINVAL. */
	int (*start)(struct sdxi_backend *backend, struct sdxi_context *cxt);
	/* Runs it from index 0 again; only in state STOP_SW. On -errno it stays stopped. */
	int (*restart)(struct sdxi_context *cxt);
	void (*doorbell)(struct sdxi_context *cxt, uint64_t write_index);
	/* Requests a stop and returns; CXT_STS.state STOP_SW confirms it. */
	void (*stop)(struct sdxi_context *cxt);
	/* Returns the context to the function; only in state STOP_SW. */
	void (*release)(struct sdxi_context *cxt);
	void (*counters)(struct sdxi_backend *backend, engine_counter_fn fn,
			 void *arg); /* may be NULL */
	/* On return the function does not write to any context any more. */
	void (*close)(struct sdxi_backend *backend);
};

extern struct sdxi_backend sdxi_backend_null;

struct sdxi_model_config;
int __must_check sdxi_backend_model_open(const struct sdxi_model_config *config,
					 struct sdxi_backend **out);

struct engine_key;
struct engine_param;

/* The model's defaults, in memory for free(); NULL without memory. */
struct sdxi_model_config *sdxi_model_config_alloc(void);
/* The row for a key of the model, whose set() takes a sdxi_model_config; NULL: no such key. */
const struct engine_key *sdxi_model_key_find(const struct engine_param *param);
/* Execution inside the doorbell, without threads. False if the faults asked for need a thread. */
bool sdxi_model_config_inline(struct sdxi_model_config *config);

#endif
