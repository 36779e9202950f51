// SPDX-License-Identifier: LGPL-2.1-or-later
/* "model,devices=4,gbps=30" and "wq0.0+wq1.0,verify=crc": one table of keys. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engines/dsa/dsa.h"

#define DEFAULT_TIMEOUT_US 100000

struct param {
	const char *key;
	bool of_model;
	uint64_t least, most;
	/* 0, or -EINVAL for a value that is not a number within bounds. */
	int (*set)(struct dsa_options *o, const struct param *param, const char *value);
	size_t at; /* of a uint32_t in the options */
};

static int number(const struct param *param, const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	if (end == text || *end || errno || text[0] == '-' || *value < param->least ||
	    *value > param->most)
		return -EINVAL;
	return 0;
}

static int set_u32(struct dsa_options *o, const struct param *param, const char *value)
{
	uint64_t n;

	if (number(param, value, &n))
		return -EINVAL;
	*(uint32_t *)((char *)o + param->at) = (uint32_t)n;
	return 0;
}

static int set_u64(struct dsa_options *o, const struct param *param, const char *value)
{
	return number(param, value, (uint64_t *)((char *)o + param->at));
}

static int set_flag(struct dsa_options *o, const struct param *param, const char *value)
{
	uint64_t n = 1;

	if (*value && number(param, value, &n))
		return -EINVAL;
	*(bool *)((char *)o + param->at) = n;
	return 0;
}

/* Gigabytes per second, with decimals. */
static int set_gbps(struct dsa_options *o, const struct param *param, const char *value)
{
	char *end;
	double gbps = strtod(value, &end);

	if (end == value || *end || !(gbps >= 0.001 && gbps <= 100000))
		return -EINVAL;
	o->model.speed.bytes_per_us = (uint64_t)(gbps * 1000);
	return 0;
}

static int set_mode(struct dsa_options *o, const struct param *param, const char *value)
{
	o->model.dedicated = !strcmp(value, "dedicated");
	o->model.rawio = strcmp(value, "write") != 0;
	return o->model.dedicated || !o->model.rawio || !strcmp(value, "shared") ? 0 : -EINVAL;
}

static int set_faults(struct dsa_options *o, const struct param *param, const char *value)
{
	const char *bad;

	return model_parse_faults(value, dsa_fault_names, dsa_fault_default_ppm, NR_DSA_FAULTS,
				  o->model.faults_ppm, &bad);
}

static int set_timeout(struct dsa_options *o, const struct param *param, const char *value)
{
	uint64_t us;

	if (number(param, value, &us))
		return -EINVAL;
	o->timeout_ns = us * NS_PER_US;
	return 0;
}

static int set_wq_size(struct dsa_options *o, const struct param *param, const char *value)
{
	int err = set_u32(o, param, value);

	o->model.wq_threshold = o->model.wq_size;
	return err;
}

static int set_verify(struct dsa_options *o, const struct param *param, const char *value)
{
	o->verify = strcmp(value, "crc") ? DSA_VERIFY_NONE : DSA_VERIFY_CRC;
	return !strcmp(value, "crc") || !strcmp(value, "none") ? 0 : -EINVAL;
}

static int set_partial(struct dsa_options *o, const struct param *param, const char *value)
{
	o->on_partial = strcmp(value, "cpu") ? DSA_PARTIAL_RESUME : DSA_PARTIAL_CPU;
	return !strcmp(value, "cpu") || !strcmp(value, "resume") ? 0 : -EINVAL;
}

static int set_cpu(struct dsa_options *o, const struct param *param, const char *value)
{
	uint64_t percent = DSA_CPU_AUTO;

	if (strcmp(value, "auto") && number(param, value, &percent))
		return -EINVAL;
	o->cpu_percent = (uint32_t)percent;
	return 0;
}

#define AT(member) offsetof(struct dsa_options, member)

static const struct param params_known[] = {
	{"verify", false, 0, 0, set_verify, 0},
	{"on_partial", false, 0, 0, set_partial, 0},
	{"timeout_us", false, 100, 60000000, set_timeout, 0},
	{"cpu_fraction", false, 0, 90, set_cpu, 0},
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

static int set_one(struct dsa_options *o, char *word, char *why, size_t why_bytes)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(params_known); i++) {
		const struct param *param = &params_known[i];

		if (strcmp(word, param->key))
			continue;
		if (param->of_model && !o->use_model) {
			snprintf(why, why_bytes, "dsa: '%s' is for the model: dsa:model,%s=…", word,
				 word);
			return -EINVAL;
		}
		if (!param->set(o, param, value ? value : ""))
			return 0;
		snprintf(why, why_bytes, "dsa: '%s' is not a value for %s", value ? value : "",
			 word);
		return -EINVAL;
	}
	snprintf(why, why_bytes, "dsa: unknown parameter '%s'", word);
	return -EINVAL;
}

static int add_queue(struct dsa_options *o, const char *word, char *why, size_t why_bytes)
{
	if (strlen(word) >= sizeof(o->queues) || o->use_model || o->queues[0]) {
		snprintf(why, why_bytes, "dsa: '%s': name queues once, as in wq0.0+wq1.0", word);
		return -EINVAL;
	}
	strcpy(o->queues, word);
	return 0;
}

static int check_together(const struct dsa_options *o, char *why, size_t why_bytes)
{
	if (o->model.null && o->verify != DSA_VERIFY_NONE) {
		snprintf(why, why_bytes, "dsa: the null model copies nothing to verify");
		return -EINVAL;
	}
	return 0;
}

int dsa_parse_params(const char *params, struct dsa_options *o, char *why, size_t why_bytes)
{
	char text[1024], *save = NULL;

	*o = (struct dsa_options){.timeout_ns = DEFAULT_TIMEOUT_US * NS_PER_US};
	dsa_model_defaults(&o->model);
	if (!params)
		return 0;
	if (strlen(params) >= sizeof(text)) {
		snprintf(why, why_bytes, "dsa: parameters longer than %zu", sizeof(text) - 1);
		return -EINVAL;
	}
	strcpy(text, params);
	for (char *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		int err = 0;

		if (!strcmp(word, "model"))
			o->use_model = true;
		else if (!strncmp(word, "wq", 2) && !strchr(word, '='))
			err = add_queue(o, word, why, why_bytes);
		else
			err = set_one(o, word, why, why_bytes);
		if (err)
			return err;
	}
	return check_together(o, why, why_bytes);
}
