// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The "sdxi" engine: copies as SDXI descriptors.
 *
 *	sdxi                     hardware; refuses with the reason
 *	sdxi:model[,key=value…]  the software function
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/vault.h"
#include "engines/params.h"
#include "engines/sdxi/channel.h"
#include "models/sdxi/model.h"

extern const struct engine_ops sdxi_engine_ops;

#define DEFAULT_TIMEOUT_MS 1000
#define BATCH_ITEMS        128
#define PARAMS_HELP                                                             \
	"model[,gbps=N,latency_ns=N,jitter_ns=N,engines=N,seed=N,timeout_ms=N," \
	"faults=all|KIND[:PER_MILLION]+KIND… of error stop lost hang stray delay,inline,null]"

struct params {
	struct sdxi_model_config model;
	uint64_t timeout_ms;
	bool in_line; /* executed inside submit, by no thread */
	bool null;    /* not executed at all */
};

/* True if the parameter is a number's, then *ok says whether the number is good. */
static bool set_number(const struct engine_param *param, struct params *params, bool *ok)
{
	uint64_t nr_engines = params->model.nr_engines, gbps = 0;
	const struct {
		const char *key;
		uint64_t min, max, *field;
	} numbers[] = {
		{"gbps", 1, 1000, &gbps},
		{"latency_ns", 0, NS_PER_SEC, &params->model.speed.latency_ns},
		{"jitter_ns", 0, NS_PER_SEC, &params->model.speed.jitter_ns},
		{"engines", 1, SDXI_MODEL_MAX_ENGINES, &nr_engines},
		{"seed", 0, UINT64_MAX, &params->model.seed},
		{"timeout_ms", 1, 60000, &params->timeout_ms},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (!engine_param_key(param, numbers[i].key))
			continue;
		*ok = engine_param_number(param, numbers[i].min, numbers[i].max, numbers[i].field);
		params->model.nr_engines = (unsigned int)nr_engines;
		if (gbps)
			params->model.speed.bytes_per_us = gbps * 1000;
		return true;
	}
	return false;
}

static bool set_faults(const struct engine_param *param, struct params *params)
{
	return model_parse_faults(param->value, param->value_len, sdxi_fault_names,
				  sdxi_fault_default_ppm, SDXI_NR_FAULTS, params->model.fault_ppm);
}

static bool set_param(const struct engine_param *param, struct params *params)
{
	bool ok;

	if (engine_param_key(param, "null") && param->value_len == 0)
		return params->null = true;
	if (engine_param_key(param, "inline") && param->value_len == 0)
		return params->in_line = true;
	if (engine_param_key(param, "faults"))
		return set_faults(param, params);
	return set_number(param, params, &ok) && ok;
}

/* 0, or -EINVAL with the reason. text starts with "model". */
static int parse(const char *text, struct params *params, char *why, size_t why_bytes)
{
	struct engine_param param;

	*params = (struct params){.model.nr_engines = 1, .timeout_ms = DEFAULT_TIMEOUT_MS};
	engine_param_next(&text, &param);
	while (engine_param_next(&text, &param))
		if (!set_param(&param, params))
			return engine_param_bad(&param, "sdxi", "bad parameter", PARAMS_HELP, why,
						why_bytes);
	if (!params->in_line)
		return 0;
	params->model.nr_engines = 0;
	if (!params->model.fault_ppm[SDXI_FAULT_STRAY])
		return 0;
	snprintf(why, why_bytes,
		 "engine sdxi: a model that works inside submit (inline) can't stray: leave out "
		 "inline, or name the faults one by one without stray");
	return -EINVAL;
}

static bool wants_model(const char *params)
{
	return params && !strncmp(params, "model", 5) && (params[5] == '\0' || params[5] == ',');
}

static int sdxi_probe(const char *params, char *why, size_t why_bytes)
{
	struct engine_param param;
	struct params parsed;

	if (wants_model(params))
		return parse(params, &parsed, why, why_bytes);
	if (engine_param_next(&params, &param))
		return engine_param_bad(&param, "sdxi", "unknown way in", PARAMS_HELP, why,
					why_bytes);
	return sdxi_device_probe("", "", why, why_bytes);
}

static void sdxi_close(struct engine *engine)
{
	struct sdxi_engine *self;

	if (!engine)
		return;
	self = CONTAINER_OF(engine, struct sdxi_engine, engine);
	if (self->way)
		self->way->ops->close(self->way);
	sdxi_channel_free_unstopped(self);
	vault_free(self, sizeof(*self));
}

static int sdxi_open(const struct engine_env *env, const char *params, struct engine **out,
		     char *why, size_t why_bytes)
{
	struct sdxi_engine *self;
	struct params parsed;
	void *memory;
	int err;

	if (!wants_model(params))
		return sdxi_probe(params, why, why_bytes);
	err = parse(params, &parsed, why, why_bytes);
	if (err)
		return err;
	err = vault_alloc(sizeof(*self), &memory);
	if (err)
		goto fail;
	self = memory;
	self->engine = (struct engine){
		.ops = &sdxi_engine_ops, .depth = SDXI_DEPTH, .batch_items = BATCH_ITEMS};
	self->timeout_ns = parsed.timeout_ms * NS_PER_MS;
	counts_init(&self->counts, self->closed_counts, SDXI_NR_COUNTS);
	if (parsed.null)
		self->way = &sdxi_way_null;
	else
		err = sdxi_way_model_open(&parsed.model, &self->way);
	if (err) {
		sdxi_close(&self->engine);
		goto fail;
	}
	*out = &self->engine;
	return 0;
fail:
	snprintf(why, why_bytes, "sdxi: no memory or no threads for the model: %s", strerror(-err));
	return err;
}

/* Only by name: there is no hardware way in yet, and a model is never chosen silently. */
const struct engine_ops sdxi_engine_ops = {
	.abi = ENGINE_ABI,
	.size = sizeof(struct engine_ops),
	.name = "sdxi",
	.summary = "SNIA SDXI descriptor ring (software model: sdxi:model)",
	.params_help = PARAMS_HELP,
	.priority = -10,
	.probe = sdxi_probe,
	.open = sdxi_open,
	.close = sdxi_close,
	.channel_open = sdxi_channel_open,
	.channel_close = sdxi_channel_close,
	.submit = sdxi_channel_submit,
	.poll = sdxi_channel_poll,
	.quiet = sdxi_channel_quiet,
	.counters = sdxi_counters,
};
