// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engines/counts.h"
#include "engines/dsa/model.h"
#include "engines/params.h"
#include "models/dsa/dsa_model.h"

struct dsa_model_config *dsa_model_config_alloc(void)
{
	struct dsa_model_config *config = malloc(sizeof(*config));

	if (config)
		dsa_model_defaults(config);
	return config;
}

/* Gigabytes per second, with decimals. */
static bool set_gbps(void *options, const struct engine_key *key __maybe_unused,
		     const struct engine_param *p)
{
	struct dsa_model_config *config = options;
	char *end;
	double gbps = p->value_len ? strtod(p->value, &end) : 0;

	if (!(gbps >= 0.001 && gbps <= 100000) || end != p->value + p->value_len)
		return false;
	config->speed.bytes_per_us = (uint64_t)(gbps * 1000);
	return true;
}

static bool set_mode(void *options, const struct engine_key *key __maybe_unused,
		     const struct engine_param *p)
{
	struct dsa_model_config *config = options;

	config->dedicated = engine_param_value(p, "dedicated");
	config->rawio = !engine_param_value(p, "write");
	return config->dedicated || !config->rawio || engine_param_value(p, "shared");
}

static bool set_faults(void *options, const struct engine_key *key __maybe_unused,
		       const struct engine_param *p)
{
	struct dsa_model_config *config = options;

	return model_parse_faults(p->value, p->value_len, dsa_fault_names, dsa_fault_default_ppm,
				  NR_DSA_FAULTS, config->faults_ppm);
}

static bool set_wq_size(void *options, const struct engine_key *key, const struct engine_param *p)
{
	struct dsa_model_config *config = options;
	bool good = engine_set_u32(options, key, p);

	config->wq_threshold = config->wq_size;
	return good;
}

#define AT(member) offsetof(struct dsa_model_config, member)

static const struct engine_key keys[] = {
	{"devices", 1, 64, engine_set_u32, AT(nr_devices)},
	{"engines", 1, 64, engine_set_u32, AT(nr_engines)},
	{"gbps", 0, 0, set_gbps, 0},
	{"latency_ns", 0, NS_PER_SEC, engine_set_u64, AT(speed.latency_ns)},
	{"jitter_ns", 0, NS_PER_SEC, engine_set_u64, AT(speed.jitter_ns)},
	{"seed", 0, UINT64_MAX, engine_set_u64, AT(seed)},
	{"faults", 0, 0, set_faults, 0},
	{"hang_ns", 0, 60 * NS_PER_SEC, engine_set_u64, AT(hang_ns)},
	{"late_ns", 0, 60 * NS_PER_SEC, engine_set_u64, AT(late_ns)},
	{"mode", 0, 0, set_mode, 0},
	{"wq_size", 1, 4096, set_wq_size, AT(wq_size)},
	{"max_batch", 1, 1024, engine_set_u32, AT(max_batch)},
	{"max_transfer", PAGE_BYTES, 1U << 31, engine_set_u32, AT(max_transfer_bytes)},
	{"safe", 0, 1, engine_set_flag, AT(submission_safe)},
	{"check", 0, 1, engine_set_flag, AT(check_memory)},
	{"watch", 0, 1, engine_set_flag, AT(watch)},
	{"stepped", 0, 1, engine_set_flag, AT(stepped)},
	{"null", 0, 1, engine_set_flag, AT(null)},
};

const struct engine_key *dsa_model_key_find(const struct engine_param *param)
{
	return engine_key_find(keys, ARRAY_SIZE(keys), param);
}

bool dsa_model_copies_nothing(const struct dsa_model_config *config)
{
	return config->null;
}

static void queue_describe(const struct dsa_model_config *c, uint32_t device,
			   struct dsa_queue *queue)
{
	*queue = (struct dsa_queue){
		.device_id = device,
		.device_enabled = true,
		.enabled = true,
		.user = true,
		.shared = !c->dedicated,
		.block_on_fault = c->block_on_fault,
		.size = c->wq_size,
		.threshold = c->wq_threshold,
		.max_batch = c->max_batch,
		.max_transfer_bytes = c->max_transfer_bytes,
		.gen_cap = c->gen_cap,
		.node = -1,
		.package = -1,
	};
	snprintf(queue->name, sizeof(queue->name), "model%u", device);
}

int dsa_model_start(const struct dsa_model_config *config, struct dsa_model **out,
		    struct dsa_portal *portals, uint32_t *nr_portals, char *why, size_t why_bytes)
{
	int err = dsa_model_open(config, out);

	if (err) {
		snprintf(why, why_bytes, "dsa: model: %s", strerror(-err));
		return err;
	}
	for (uint32_t i = 0; i < config->nr_devices; i++) {
		struct dsa_portal *portal = &portals[*nr_portals];
		struct dsa_queue queue;

		queue_describe(config, i, &queue);
		if (!dsa_portal_open(portal, &queue, *out, i, 0))
			(*nr_portals)++;
		else
			snprintf(why, why_bytes, "dsa: model: %s", portal->refusals);
	}
	return *nr_portals ? 0 : -ENODEV;
}

void dsa_model_shut(struct dsa_model *model)
{
	dsa_model_close(model);
}

void dsa_model_report(const struct dsa_model *model, engine_counter_fn fn, void *arg)
{
	for (unsigned int i = 0; i < NR_DSA_COUNTERS; i++)
		counts_report(fn, arg, dsa_model_count(model, i), "model.%s",
			      dsa_model_counter_name(i));
	for (unsigned int i = 0; i < NR_DSA_FAULTS; i++)
		counts_report(fn, arg, dsa_model_faults(model, i), "model.fault.%s",
			      dsa_fault_names[i]);
	for (unsigned int i = 0; i < NR_DSA_RULES; i++) {
		uint64_t nr = dsa_model_breaches(model, i);

		if (nr)
			counts_report(fn, arg, nr, "model.breach.%s", dsa_rule_name(i));
	}
	fn(arg, "model.breaches", dsa_model_all_breaches(model));
}
