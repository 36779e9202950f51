// SPDX-License-Identifier: LGPL-2.1-or-later
/* "model,devices=4,gbps=30" and "wq0.0+wq1.0,verify=crc": one table of keys. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engines/dsa/dsa.h"
#include "engines/params.h"

#define DEFAULT_TIMEOUT_US 100000

#define HELP                                                                                    \
	"[wqN.M[+...]|model] and verify, on_partial, timeout_us, cpu_fraction, batch; for the " \
	"model devices, engines, gbps, latency_ns, seed, faults, mode, null ..."

struct key {
	const char *name;
	bool of_model;
	uint64_t least, most;
	/* False for a value that does not fit the key. */
	bool (*set)(struct dsa_options *o, const struct key *key, const struct engine_param *p);
	size_t at; /* of what is set, in the options */
};

static void *target(struct dsa_options *o, const struct key *key)
{
	return (char *)o + key->at;
}

static bool set_u32(struct dsa_options *o, const struct key *key, const struct engine_param *p)
{
	uint64_t n;

	if (!engine_param_number(p, key->least, key->most, &n))
		return false;
	*(uint32_t *)target(o, key) = (uint32_t)n;
	return true;
}

static bool set_u64(struct dsa_options *o, const struct key *key, const struct engine_param *p)
{
	return engine_param_number(p, key->least, key->most, target(o, key));
}

/* "null" alone is "null=1". */
static bool set_flag(struct dsa_options *o, const struct key *key, const struct engine_param *p)
{
	uint64_t n = 1;

	if (p->value_len && !engine_param_number(p, 0, 1, &n))
		return false;
	*(bool *)target(o, key) = n;
	return true;
}

/* Gigabytes per second, with decimals. */
static bool set_gbps(struct dsa_options *o, const struct key *key __maybe_unused,
		     const struct engine_param *p)
{
	char *end;
	double gbps = p->value_len ? strtod(p->value, &end) : 0;

	if (!(gbps >= 0.001 && gbps <= 100000) || end != p->value + p->value_len)
		return false;
	o->model.speed.bytes_per_us = (uint64_t)(gbps * 1000);
	return true;
}

static bool set_mode(struct dsa_options *o, const struct key *key __maybe_unused,
		     const struct engine_param *p)
{
	o->model.dedicated = engine_param_value(p, "dedicated");
	o->model.rawio = !engine_param_value(p, "write");
	return o->model.dedicated || !o->model.rawio || engine_param_value(p, "shared");
}

static bool set_faults(struct dsa_options *o, const struct key *key __maybe_unused,
		       const struct engine_param *p)
{
	char text[256];
	const char *bad;

	if (p->value_len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)p->value_len, p->value ? p->value : "");
	return !model_parse_faults(text, dsa_fault_names, dsa_fault_default_ppm, NR_DSA_FAULTS,
				   o->model.faults_ppm, &bad);
}

static bool set_timeout(struct dsa_options *o, const struct key *key, const struct engine_param *p)
{
	uint64_t us;

	if (!engine_param_number(p, key->least, key->most, &us))
		return false;
	o->timeout_ns = us * NS_PER_US;
	return true;
}

static bool set_wq_size(struct dsa_options *o, const struct key *key, const struct engine_param *p)
{
	bool ok = set_u32(o, key, p);

	o->model.wq_threshold = o->model.wq_size;
	return ok;
}

static bool set_verify(struct dsa_options *o, const struct key *key __maybe_unused,
		       const struct engine_param *p)
{
	o->verify = engine_param_value(p, "crc") ? DSA_VERIFY_CRC : DSA_VERIFY_NONE;
	return o->verify == DSA_VERIFY_CRC || engine_param_value(p, "none");
}

static bool set_partial(struct dsa_options *o, const struct key *key __maybe_unused,
			const struct engine_param *p)
{
	o->on_partial = engine_param_value(p, "cpu") ? DSA_PARTIAL_CPU : DSA_PARTIAL_RESUME;
	return o->on_partial == DSA_PARTIAL_CPU || engine_param_value(p, "resume");
}

static bool set_cpu(struct dsa_options *o, const struct key *key, const struct engine_param *p)
{
	if (!engine_param_value(p, "auto"))
		return set_u32(o, key, p);
	o->cpu_percent = DSA_CPU_AUTO;
	return true;
}

#define AT(member) offsetof(struct dsa_options, member)

static const struct key keys[] = {
	{"verify", false, 0, 0, set_verify, 0},
	{"on_partial", false, 0, 0, set_partial, 0},
	{"timeout_us", false, 100, 60000000, set_timeout, 0},
	{"cpu_fraction", false, 0, 90, set_cpu, AT(cpu_percent)},
	{"batch", false, 1, 1024, set_u32, AT(max_batch)},
	{"devices", true, 1, 64, set_u32, AT(model.nr_devices)},
	{"engines", true, 1, 64, set_u32, AT(model.nr_engines)},
	{"gbps", true, 0, 0, set_gbps, 0},
	{"latency_ns", true, 0, NS_PER_SEC, set_u64, AT(model.speed.latency_ns)},
	{"jitter_ns", true, 0, NS_PER_SEC, set_u64, AT(model.speed.jitter_ns)},
	{"seed", true, 0, UINT64_MAX, set_u64, AT(model.seed)},
	{"faults", true, 0, 0, set_faults, 0},
	{"hang_ns", true, 0, 60 * NS_PER_SEC, set_u64, AT(model.hang_ns)},
	{"late_ns", true, 0, 60 * NS_PER_SEC, set_u64, AT(model.late_ns)},
	{"mode", true, 0, 0, set_mode, 0},
	{"wq_size", true, 1, 4096, set_wq_size, AT(model.wq_size)},
	{"max_batch", true, 1, 1024, set_u32, AT(model.max_batch)},
	{"max_transfer", true, PAGE_BYTES, 1U << 31, set_u32, AT(model.max_transfer_bytes)},
	{"check", true, 0, 1, set_flag, AT(model.check_memory)},
	{"watch", true, 0, 1, set_flag, AT(model.watch)},
	{"stepped", true, 0, 1, set_flag, AT(model.stepped)},
	{"null", true, 0, 1, set_flag, AT(model.null)},
};

static int set_one(struct dsa_options *o, const struct engine_param *p, char *why, size_t why_bytes)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct key *key = &keys[i];

		if (!engine_param_key(p, key->name))
			continue;
		if (key->of_model && !o->use_model)
			return engine_param_bad(p, "dsa", "only behind dsa:model", HELP, why,
						why_bytes);
		if (key->set(o, key, p))
			return 0;
		return engine_param_bad(p, "dsa", "bad value in", HELP, why, why_bytes);
	}
	return engine_param_bad(p, "dsa", "unknown parameter", HELP, why, why_bytes);
}

static int set_queues(struct dsa_options *o, const struct engine_param *p, char *why,
		      size_t why_bytes)
{
	if (p->key_len >= sizeof(o->queues) || o->use_model || o->queues[0])
		return engine_param_bad(p, "dsa", "queues are named once, as in wq0.0+wq1.0,", HELP,
					why, why_bytes);
	snprintf(o->queues, sizeof(o->queues), "%.*s", (int)p->key_len, p->key);
	return 0;
}

int dsa_parse_params(const char *params, struct dsa_options *o, char *why, size_t why_bytes)
{
	struct engine_param p;
	int err = 0;

	*o = (struct dsa_options){.timeout_ns = DEFAULT_TIMEOUT_US * NS_PER_US};
	dsa_model_defaults(&o->model);
	while (!err && engine_param_next(&params, &p)) {
		if (engine_param_key(&p, "model") && !p.value_len)
			o->use_model = true;
		else if (!p.value_len && p.key_len > 2 && !memcmp(p.key, "wq", 2) &&
			 p.key[2] != '_')
			err = set_queues(o, &p, why, why_bytes);
		else
			err = set_one(o, &p, why, why_bytes);
	}
	if (!err && o->model.null && o->verify != DSA_VERIFY_NONE) {
		snprintf(why, why_bytes,
			 "dsa: the null model copies nothing that verify could check");
		err = -EINVAL;
	}
	return err;
}
