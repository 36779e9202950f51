// SPDX-License-Identifier: LGPL-2.1-or-later
/* Parses "wq0.0+wq1.0,verify=crc" and "model,devices=4,gbps=30". */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engines/dsa/model.h"
#include "engines/dsa/params.h"
#include "engines/params.h"

#define DEFAULT_TIMEOUT_US 100000

#define HELP                                                                                    \
	"[wqN.M[+...]|model] and verify, on_partial, timeout_us, cpu_fraction, batch; for the " \
	"model devices, engines, gbps, latency_ns, seed, faults, mode, null ..."

static bool set_timeout(void *options, const struct engine_key *key, const struct engine_param *p)
{
	struct dsa_options *o = options;
	uint64_t us;

	if (!engine_param_number(p, key->min, key->max, &us))
		return false;
	o->timeout_ns = us * NS_PER_US;
	return true;
}

static bool set_verify(void *options, const struct engine_key *key __maybe_unused,
		       const struct engine_param *p)
{
	struct dsa_options *o = options;

	o->verify = engine_param_value(p, "crc") ? DSA_VERIFY_CRC : DSA_VERIFY_NONE;
	return o->verify == DSA_VERIFY_CRC || engine_param_value(p, "none");
}

static bool set_partial(void *options, const struct engine_key *key __maybe_unused,
			const struct engine_param *p)
{
	struct dsa_options *o = options;

	o->on_partial = engine_param_value(p, "cpu") ? DSA_PARTIAL_CPU : DSA_PARTIAL_RESUME;
	return o->on_partial == DSA_PARTIAL_CPU || engine_param_value(p, "resume");
}

static bool set_cpu_fraction(void *options, const struct engine_key *key,
			     const struct engine_param *p)
{
	struct dsa_options *o = options;

	if (!engine_param_value(p, "auto"))
		return engine_set_u32(options, key, p);
	o->cpu_percent = DSA_CPU_AUTO;
	return true;
}

static const struct engine_key keys[] = {
	{"verify", 0, 0, set_verify, 0},
	{"on_partial", 0, 0, set_partial, 0},
	{"timeout_us", 100, 60000000, set_timeout, 0},
	{"cpu_fraction", 0, 90, set_cpu_fraction, offsetof(struct dsa_options, cpu_percent)},
	{"batch", 1, 1024, engine_set_u32, offsetof(struct dsa_options, max_batch)},
};

static int set_key(struct dsa_options *o, const struct engine_param *p, char *why, size_t why_bytes)
{
	const struct engine_key *key = engine_key_find(keys, ARRAY_SIZE(keys), p);
	bool good;

	if (key) {
		good = key->set(o, key, p);
	} else {
		key = dsa_model_key_find(p);
		if (!key)
			return engine_param_bad(p, "dsa", "unknown parameter", HELP, why,
						why_bytes);
		if (!o->model)
			return engine_param_bad(p, "dsa", "only behind dsa:model", HELP, why,
						why_bytes);
		good = key->set(o->model, key, p);
	}
	return good ? 0 : engine_param_bad(p, "dsa", "bad value in", HELP, why, why_bytes);
}

static int set_queues(struct dsa_options *o, const struct engine_param *p, char *why,
		      size_t why_bytes)
{
	if (p->key_len >= sizeof(o->queues) || o->model || o->queues[0])
		return engine_param_bad(p, "dsa", "queues are named once, as in wq0.0+wq1.0,", HELP,
					why, why_bytes);
	snprintf(o->queues, sizeof(o->queues), "%.*s", (int)p->key_len, p->key);
	return 0;
}

static int set_model(struct dsa_options *o, char *why, size_t why_bytes)
{
	if (!o->model)
		o->model = dsa_model_config_alloc();
	if (o->model)
		return 0;
	snprintf(why, why_bytes, "dsa: out of memory");
	return -ENOMEM;
}

static bool names_queues(const struct engine_param *p)
{
	return !p->value_len && p->key_len > 2 && !memcmp(p->key, "wq", 2) && p->key[2] != '_';
}

int dsa_parse_params(const char *params, struct dsa_options *o, char *why, size_t why_bytes)
{
	struct engine_param p;
	int err = 0;

	*o = (struct dsa_options){.timeout_ns = DEFAULT_TIMEOUT_US * NS_PER_US};
	while (!err && engine_param_next(&params, &p)) {
		if (engine_param_key(&p, "model") && !p.value_len)
			err = set_model(o, why, why_bytes);
		else if (names_queues(&p))
			err = set_queues(o, &p, why, why_bytes);
		else
			err = set_key(o, &p, why, why_bytes);
	}
	if (!err && o->model && dsa_model_copies_nothing(o->model) &&
	    o->verify != DSA_VERIFY_NONE) {
		snprintf(why, why_bytes,
			 "dsa: the null model copies nothing that verify could check");
		err = -EINVAL;
	}
	if (err)
		dsa_options_free(o);
	return err;
}

void dsa_options_free(struct dsa_options *o)
{
	free(o->model);
	o->model = NULL;
}
