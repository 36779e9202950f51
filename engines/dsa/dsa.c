// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/vault.h"
#include "copy/kernels.h"
#include "engines/device/instructions.h"
#include "engines/dsa/dsa.h"
#include "engines/dsa/model.h"

extern const struct engine_ops dsa_engine_ops;

static size_t portals_at(void)
{
	return ALIGN_UP(sizeof(struct dsa_engine), (size_t)CACHELINE);
}

static size_t engine_bytes(void)
{
	return portals_at() + DSA_MAX_PORTALS * sizeof(struct dsa_portal);
}

static void dsa_close(struct engine *base)
{
	struct dsa_engine *engine;

	if (!base)
		return;
	engine = CONTAINER_OF(base, struct dsa_engine, engine);
	dsa_close_portals(engine);
	dsa_options_free(&engine->options);
	vault_free(engine, engine_bytes());
}

static int dsa_open(const struct engine_env *env __maybe_unused, const char *params,
		    struct engine **out, char *why, size_t why_bytes)
{
	struct dsa_options options;
	struct dsa_engine *engine;
	uint32_t max_batch = 1;
	void *memory;
	int err = dsa_parse_params(params, &options, why, why_bytes);

	if (err)
		return err;
	err = vault_alloc(engine_bytes(), &memory);
	if (err) {
		dsa_options_free(&options);
		return err;
	}
	engine = memory;
	engine->engine.ops = &dsa_engine_ops;
	engine->options = options;
	counts_init(&engine->counts, engine->closed_counts, NR_DSA_CTRS);
	engine->portals = (void *)((char *)memory + portals_at());
	engine->kernel = copy_kernel_best(PAGE_BYTES, 1);
	engine->can_umwait = device_cpu_has_waitpkg() && !options.model;
	engine->copies_nothing = options.model && dsa_model_copies_nothing(options.model);
	err = dsa_open_portals(engine, why, why_bytes);
	if (err) {
		dsa_close(&engine->engine);
		return err;
	}
	for (uint32_t i = 0; i < engine->nr_portals; i++)
		max_batch = MAX(max_batch, engine->portals[i].max_batch);
	engine->engine.depth = 4 * MIN(engine->nr_portals, 4U);
	engine->engine.batch_items = max_batch > 1 ? max_batch : DSA_STAGE;
	*out = &engine->engine;
	return 0;
}

/* Opens the engine, since only that tells whether a NOOP completes. */
static int dsa_probe(const char *params, char *why, size_t why_bytes)
{
	struct dsa_options options;
	struct engine *engine;
	int err = dsa_parse_params(params, &options, why, why_bytes);

	bool by_model;

	if (err)
		return err;
	by_model = options.model;
	dsa_options_free(&options);
	if (by_model)
		return 0;
	err = dsa_open(NULL, params, &engine, why, why_bytes);
	if (!err)
		dsa_close(engine);
	return err;
}

/* Preferred to the CPU, but available only where hardware has completed a NOOP. */
const struct engine_ops dsa_engine_ops = {
	.abi = ENGINE_ABI,
	.size = sizeof(struct engine_ops),
	.name = "dsa",
	.summary = "Intel Data Streaming Accelerator, or its software model",
	.params_help = "[wqN.M[+…]|model],verify=crc,on_partial=resume|cpu,timeout_us=N,"
		       "cpu_fraction=N|auto,batch=N; model: devices=N,engines=N,gbps=X,"
		       "latency_ns=N,seed=N,faults=all|KIND[:PPM][+…],"
		       "mode=shared|dedicated|write,null",
	.priority = 10,
	.probe = dsa_probe,
	.open = dsa_open,
	.close = dsa_close,
	.channel_open = dsa_channel_open,
	.channel_close = dsa_channel_close,
	.submit = dsa_submit,
	.poll = dsa_poll,
	.quiet = dsa_quiet,
	.counters = dsa_counters,
};
