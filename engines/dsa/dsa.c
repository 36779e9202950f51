// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/vault.h"
#include "engines/dsa/dsa.h"

extern const struct engine_ops dsa_engine_ops;

static const char *const counter_names[NR_DSA_CTRS] = {
	[DSA_CTR_DESCRIPTORS] = "descriptors",
	[DSA_CTR_BATCHES] = "batches",
	[DSA_CTR_SINGLES] = "singles",
	[DSA_CTR_BYTES] = "bytes",
	[DSA_CTR_FULL] = "retries",
	[DSA_CTR_DRAINS] = "drains",
	[DSA_CTR_RESUMED] = "resumed",
	[DSA_CTR_CPU_BYTES] = "cpu_bytes",
	[DSA_CTR_FAULT_READ] = "fault.read",
	[DSA_CTR_FAULT_WRITE] = "fault.write",
	[DSA_CTR_FAULT_LIST] = "fault.list",
	[DSA_CTR_TIMEOUTS] = "timeouts",
	[DSA_CTR_STRAY] = "strays",
	[DSA_CTR_FB_FAULT] = "fallback.fault",
	[DSA_CTR_FB_ERROR] = "fallback.error",
	[DSA_CTR_FB_REFUSED] = "fallback.refused",
	[DSA_CTR_FB_NOT_EXECUTED] = "fallback.not_executed",
	[DSA_CTR_FB_FULL] = "fallback.queue_full",
	[DSA_CTR_FB_NO_DEVICE] = "fallback.no_device",
	[DSA_CTR_FB_HUNG] = "fallback.hung",
	[DSA_CTR_FB_VERIFY] = "fallback.verify",
};

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
	vault_free(engine, engine_bytes());
}

static int dsa_open(const struct engine_env *env, const char *params, struct engine **out,
		    char *why, size_t why_bytes)
{
	struct dsa_options options;
	struct dsa_engine *engine;
	uint32_t max_batch = 1;
	void *memory;
	int err = dsa_parse_params(params, &options, why, why_bytes);

	if (err)
		return err;
	err = vault_alloc(engine_bytes(), &memory);
	if (err)
		return err;
	engine = memory;
	engine->engine.ops = &dsa_engine_ops;
	engine->options = options;
	engine->portals = (void *)((char *)memory + portals_at());
	engine->can_umwait = dsa_cpu_has_waitpkg() && !options.use_model;
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

/* Opens and closes: nothing less tells whether a NOOP comes back. */
static int dsa_probe(const char *params, char *why, size_t why_bytes)
{
	struct dsa_options options;
	struct engine *engine;
	int err = dsa_parse_params(params, &options, why, why_bytes);

	if (err || options.use_model)
		return err;
	err = dsa_open(NULL, params, &engine, why, why_bytes);
	if (!err)
		dsa_close(engine);
	return err;
}

static void report_statuses(const struct dsa_engine *engine, engine_counter_fn fn, void *arg)
{
	char name[96];

	for (unsigned int code = 0; code < ARRAY_SIZE(engine->statuses); code++) {
		uint64_t nr = atomic_load(&engine->statuses[code]);

		if (!nr)
			continue;
		snprintf(name, sizeof(name), "status.0x%02x %s", code,
			 dsa_status_name((uint8_t)code));
		fn(arg, name, nr);
	}
}

/* Queues that stopped taking anything: `error.wq0.0 Operation not permitted`. */
static void report_errors(const struct dsa_engine *engine, engine_counter_fn fn, void *arg)
{
	char name[96];

	for (uint32_t i = 0; i < engine->nr_portals; i++) {
		int err = atomic_load(&engine->portals[i].error);

		if (!err)
			continue;
		snprintf(name, sizeof(name), "error.%s %s", engine->portals[i].queue.name,
			 strerror(-err));
		fn(arg, name, 1);
	}
}

static void report_model(const struct dsa_engine *engine, engine_counter_fn fn, void *arg)
{
	char name[96];

	for (unsigned int i = 0; i < NR_DSA_COUNTERS; i++) {
		snprintf(name, sizeof(name), "model.%s", dsa_model_counter_name(i));
		fn(arg, name, dsa_model_count(engine->model, i));
	}
	for (unsigned int i = 0; i < NR_DSA_FAULTS; i++) {
		snprintf(name, sizeof(name), "model.fault.%s", dsa_fault_names[i]);
		fn(arg, name, dsa_model_faults(engine->model, i));
	}
	for (unsigned int i = 0; i < NR_DSA_RULES; i++) {
		uint64_t nr = dsa_model_breaches(engine->model, i);

		if (!nr)
			continue;
		snprintf(name, sizeof(name), "model.breach.%s", dsa_rule_name(i));
		fn(arg, name, nr);
	}
	fn(arg, "model.breaches", dsa_model_all_breaches(engine->model));
}

static void dsa_counters(struct engine *base, engine_counter_fn fn, void *arg)
{
	struct dsa_engine *engine = CONTAINER_OF(base, struct dsa_engine, engine);

	for (unsigned int i = 0; i < NR_DSA_CTRS; i++)
		fn(arg, counter_names[i], atomic_load(&engine->counters[i]));
	report_statuses(engine, fn, arg);
	report_errors(engine, fn, arg);
	if (engine->model)
		report_model(engine, fn, arg);
}

/* Preferred over the CPU, but only ever available where hardware answered a NOOP. */
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
