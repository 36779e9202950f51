// SPDX-License-Identifier: LGPL-2.1-or-later
/* The way in to the software function. */
#include <stdio.h>

#include "base/vault.h"
#include "engines/sdxi/context.h"
#include "models/sdxi/model.h"

struct way_model {
	struct sdxi_way way;
	struct sdxi_model *model;
};

static int model_start(struct sdxi_way *way, struct sdxi_context *cxt)
{
	struct way_model *self = CONTAINER_OF(way, struct way_model, way);
	struct sdxi_model_context *context;
	int err = sdxi_model_start(self->model, &cxt->shared->l1, &context);

	if (!err)
		cxt->way_context = context;
	return err;
}

static int model_restart(struct sdxi_context *cxt)
{
	sdxi_model_restart(cxt->way_context);
	return 0;
}

static void model_doorbell(struct sdxi_context *cxt, uint64_t write_index)
{
	sdxi_model_doorbell(cxt->way_context, write_index);
}

static void model_stop(struct sdxi_context *cxt)
{
	sdxi_model_stop(cxt->way_context);
}

static void model_release(struct sdxi_context *cxt)
{
	sdxi_model_release(cxt->way_context);
	cxt->way_context = NULL;
}

static void model_counters(struct sdxi_way *way, engine_counter_fn fn, void *arg)
{
	struct way_model *self = CONTAINER_OF(way, struct way_model, way);
	struct sdxi_model_stats stats;
	char name[64];

	sdxi_model_stats(self->model, &stats);
	fn(arg, "model.descriptors", stats.descriptors);
	fn(arg, "model.late_doorbells", stats.late_doorbells);
	fn(arg, "model.breaches", stats.nr_breaches);
	for (unsigned int i = 0; i < SDXI_NR_FAULTS; i++) {
		snprintf(name, sizeof(name), "model.fault.%s", sdxi_fault_names[i]);
		fn(arg, name, stats.faults[i]);
	}
	for (unsigned int i = 0; i < SDXI_NR_RULES; i++) {
		if (!stats.breaches[i])
			continue;
		snprintf(name, sizeof(name), "model.breach.%s", sdxi_rule_name(i));
		fn(arg, name, stats.breaches[i]);
	}
}

static void model_close(struct sdxi_way *way)
{
	struct way_model *self = CONTAINER_OF(way, struct way_model, way);

	sdxi_model_close(self->model);
	vault_free(self, sizeof(*self));
}

static const struct sdxi_way_ops model_ops = {
	.start = model_start,
	.restart = model_restart,
	.doorbell = model_doorbell,
	.stop = model_stop,
	.release = model_release,
	.counters = model_counters,
	.close = model_close,
};

int sdxi_way_model_open(const struct sdxi_model_config *config, struct sdxi_way **out)
{
	struct way_model *self;
	void *memory;
	int err = vault_alloc(sizeof(*self), &memory);

	if (err)
		return err;
	self = memory;
	self->way.ops = &model_ops;
	err = sdxi_model_open(config, &self->model);
	if (err)
		vault_free(self, sizeof(*self));
	else
		*out = &self->way;
	return err;
}
