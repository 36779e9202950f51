// SPDX-License-Identifier: LGPL-2.1-or-later
/* The software function as a backend. Only this file includes the model's header. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/vault.h"
#include "engines/counts.h"
#include "engines/params.h"
#include "engines/sdxi/context.h"
#include "models/sdxi/model.h"

struct sdxi_model_config *sdxi_model_config_alloc(void)
{
	struct sdxi_model_config *config = calloc(1, sizeof(*config));

	if (config)
		config->nr_engines = 1;
	return config;
}

static bool set_gbps(void *options, const struct engine_key *key, const struct engine_param *param)
{
	struct sdxi_model_config *config = options;
	uint64_t gbps;

	if (!engine_param_number(param, key->min, key->max, &gbps))
		return false;
	config->speed.bytes_per_us = gbps * 1000;
	return true;
}

static bool set_faults(void *options, const struct engine_key *key __maybe_unused,
		       const struct engine_param *param)
{
	struct sdxi_model_config *config = options;

	return model_parse_faults(param->value, param->value_len, sdxi_fault_names,
				  sdxi_fault_default_ppm, SDXI_NR_FAULTS, config->fault_ppm);
}

#define AT(member) offsetof(struct sdxi_model_config, member)

static const struct engine_key keys[] = {
	{"gbps", 1, 1000, set_gbps, 0},
	{"latency_ns", 0, NS_PER_SEC, engine_set_u64, AT(speed.latency_ns)},
	{"stray_ns", 0, 60 * NS_PER_SEC, engine_set_u64, AT(stray_ns)},
	{"jitter_ns", 0, NS_PER_SEC, engine_set_u64, AT(speed.jitter_ns)},
	{"engines", 1, SDXI_MODEL_MAX_ENGINES, engine_set_u32, AT(nr_engines)},
	{"seed", 0, UINT64_MAX, engine_set_u64, AT(seed)},
	{"faults", 0, 0, set_faults, 0},
};

const struct engine_key *sdxi_model_key_find(const struct engine_param *param)
{
	return engine_key_find(keys, ARRAY_SIZE(keys), param);
}

bool sdxi_model_config_inline(struct sdxi_model_config *config)
{
	config->nr_engines = 0;
	return !config->fault_ppm[SDXI_FAULT_STRAY];
}

struct model_backend {
	struct sdxi_backend backend;
	struct sdxi_model *model;
};

static int model_start(struct sdxi_backend *backend, struct sdxi_context *cxt)
{
	struct model_backend *self = CONTAINER_OF(backend, struct model_backend, backend);
	struct sdxi_model_context *context;
	int err = sdxi_model_start(self->model, &cxt->shared->l1, &context);

	if (!err)
		cxt->backend_context = context;
	return err;
}

static int model_restart(struct sdxi_context *cxt)
{
	sdxi_model_restart(cxt->backend_context);
	return 0;
}

static void model_doorbell(struct sdxi_context *cxt, uint64_t write_index)
{
	sdxi_model_doorbell(cxt->backend_context, write_index);
}

static void model_stop(struct sdxi_context *cxt)
{
	sdxi_model_stop(cxt->backend_context);
}

static void model_release(struct sdxi_context *cxt)
{
	sdxi_model_release(cxt->backend_context);
	cxt->backend_context = NULL;
}

static void model_counters(struct sdxi_backend *backend, engine_counter_fn fn, void *arg)
{
	struct model_backend *self = CONTAINER_OF(backend, struct model_backend, backend);
	struct sdxi_model_stats stats;

	sdxi_model_stats(self->model, &stats);
	fn(arg, "model.descriptors", stats.descriptors);
	fn(arg, "model.late_doorbells", stats.late_doorbells);
	fn(arg, "model.breaches", stats.nr_breaches);
	for (unsigned int i = 0; i < SDXI_NR_FAULTS; i++)
		counts_report(fn, arg, stats.faults[i], "model.fault.%s", sdxi_fault_names[i]);
	for (unsigned int i = 0; i < SDXI_NR_RULES; i++) {
		if (stats.breaches[i])
			counts_report(fn, arg, stats.breaches[i], "model.breach.%s",
				      sdxi_rule_name(i));
	}
}

static void model_close(struct sdxi_backend *backend)
{
	struct model_backend *self = CONTAINER_OF(backend, struct model_backend, backend);

	sdxi_model_close(self->model);
	vault_free(self, sizeof(*self));
}

static const struct sdxi_backend_ops model_ops = {
	.start = model_start,
	.restart = model_restart,
	.doorbell = model_doorbell,
	.stop = model_stop,
	.release = model_release,
	.counters = model_counters,
	.close = model_close,
};

int sdxi_backend_model_open(const struct sdxi_model_config *config, struct sdxi_backend **out)
{
	struct model_backend *self;
	void *memory;
	int err = vault_alloc(sizeof(*self), &memory);

	if (err)
		return err;
	self = memory;
	self->backend.ops = &model_ops;
	err = sdxi_model_open(config, &self->model);
	if (err)
		vault_free(self, sizeof(*self));
	else
		*out = &self->backend;
	return err;
}
