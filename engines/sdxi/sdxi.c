// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The "sdxi" engine: copies as SDXI descriptors.
 *
 *	sdxi                     hardware; refuses with the reason
 *	sdxi:model[,key=value…]  the software function
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/vault.h"
#include "engines/params.h"
#include "engines/sdxi/channel.h"
#include "engines/sdxi/device.h"

extern const struct engine_ops sdxi_engine_ops;

#define DEFAULT_TIMEOUT_MS 1000
#define BATCH_ITEMS        128
#define PARAMS_HELP                                                                        \
	"model[,gbps=N,latency_ns=N,jitter_ns=N,engines=N,seed=N,timeout_ms=N,stray_ns=N," \
	"faults=all|KIND[:PER_MILLION]+KIND… of error stop lost hang stray delay,inline,null]"

struct sdxi_options {
	struct sdxi_model_config *model;
	uint64_t timeout_ms;
	bool in_line; /* the model executes inside submit, without a thread */
	bool null;    /* nothing executes */
};

static bool flag_set(void *options, const struct engine_key *key, const struct engine_param *param)
{
	*(bool *)((char *)options + key->offset) = true;
	return param->value_len == 0;
}

#define AT(member) offsetof(struct sdxi_options, member)

static const struct engine_key keys[] = {
	{"timeout_ms", 1, 60000, engine_set_u64, AT(timeout_ms)},
	{"inline", 0, 0, flag_set, AT(in_line)},
	{"null", 0, 0, flag_set, AT(null)},
};

static bool options_set(struct sdxi_options *options, const struct engine_param *param)
{
	const struct engine_key *key = engine_key_find(keys, ARRAY_SIZE(keys), param);

	if (key)
		return key->set(options, key, param);
	key = sdxi_model_key_find(param);
	return key && key->set(options->model, key, param);
}

/* 0, or -EINVAL with the reason. text starts with "model". Free options->model in either case. */
static int options_parse(const char *text, struct sdxi_options *options, char *why,
			 size_t why_bytes)
{
	struct engine_param param;

	*options = (struct sdxi_options){
		.model = sdxi_model_config_alloc(),
		.timeout_ms = DEFAULT_TIMEOUT_MS,
	};
	if (!options->model) {
		snprintf(why, why_bytes, "sdxi: out of memory");
		return -ENOMEM;
	}
	engine_param_next(&text, &param);
	while (engine_param_next(&text, &param))
		if (!options_set(options, &param))
			return engine_param_bad(&param, "sdxi", "bad parameter", PARAMS_HELP, why,
						why_bytes);
	if (!options->in_line || sdxi_model_config_inline(options->model))
		return 0;
	snprintf(why, why_bytes,
		 "engine sdxi: inline executes inside submit and can't stray: leave out inline, or "
		 "name the faults one by one without stray");
	return -EINVAL;
}

static bool wants_model(const char *params)
{
	return params && !strncmp(params, "model", 5) && (params[5] == '\0' || params[5] == ',');
}

static int sdxi_probe(const char *params, char *why, size_t why_bytes)
{
	struct sdxi_options options;
	struct engine_param param;
	int err;

	if (wants_model(params)) {
		err = options_parse(params, &options, why, why_bytes);
		free(options.model);
		return err;
	}
	if (engine_param_next(&params, &param))
		return engine_param_bad(&param, "sdxi", "unknown backend", PARAMS_HELP, why,
					why_bytes);
	return sdxi_device_probe("", "", why, why_bytes);
}

static void sdxi_close(struct engine *engine)
{
	struct sdxi_engine *self;

	if (!engine)
		return;
	self = CONTAINER_OF(engine, struct sdxi_engine, engine);
	if (self->backend)
		self->backend->ops->close(self->backend);
	sdxi_channel_free_unstopped(self);
	vault_free(self, sizeof(*self));
}

/* 0 or -errno. */
static int engine_create(const struct sdxi_options *options, struct engine **out)
{
	struct sdxi_engine *self;
	void *memory;
	int err = vault_alloc(sizeof(*self), &memory);

	if (err)
		return err;
	self = memory;
	self->engine = (struct engine){
		.ops = &sdxi_engine_ops, .depth = SDXI_DEPTH, .batch_items = BATCH_ITEMS};
	self->timeout_ns = options->timeout_ms * NS_PER_MS;
	counts_init(&self->counts, self->closed_counts, SDXI_NR_COUNTS);
	if (options->null)
		self->backend = &sdxi_backend_null;
	else
		err = sdxi_backend_model_open(options->model, &self->backend);
	if (err)
		sdxi_close(&self->engine);
	else
		*out = &self->engine;
	return err;
}

static int sdxi_open(const struct engine_env *env __maybe_unused, const char *params,
		     struct engine **out, char *why, size_t why_bytes)
{
	struct sdxi_options options;
	int err;

	if (!wants_model(params))
		return sdxi_probe(params, why, why_bytes);
	err = options_parse(params, &options, why, why_bytes);
	if (!err) {
		err = engine_create(&options, out);
		if (err)
			snprintf(why, why_bytes, "sdxi: no memory or no threads for the model: %s",
				 strerror(-err));
	}
	free(options.model);
	return err;
}

/* Only by name: there is no backend for hardware yet, and a model is never chosen silently. */
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
