// SPDX-License-Identifier: LGPL-2.1-or-later
/* The function: its engine threads and its counters. */
#include <errno.h>

#include "base/sys.h"
#include "base/vault.h"
#include "models/sdxi/internal.h"

/* How often to look at a context with stray descriptors. */
#define STRAY_LOOK_NS NS_PER_MS

/* Executes one descriptor. *busy: there may be more; *later: look again after a while. */
static void context_serve(struct sdxi_model_context *cxt, bool *busy, bool *later)
{
	struct pending *pending;
	bool stop;

	futex_lock(&cxt->lock);
	if (!cxt->used)
		goto out;
	sdxi_fetch(cxt);
	pending = sdxi_pick(cxt);
	if (pending) {
		futex_unlock(&cxt->lock);
		stop = sdxi_execute(cxt, pending);
		futex_lock(&cxt->lock);
		sdxi_end(cxt, pending, stop);
		*busy = true;
	}
	*later |= sdxi_settle(cxt);
out:
	futex_unlock(&cxt->lock);
}

static void *engine_main(void *arg)
{
	struct model_engine *engine = arg;
	struct sdxi_model *model = engine->model;

	while (!atomic_load(&model->closing)) {
		unsigned int seen = atomic_load(&model->work);
		bool busy = false, later = false;

		for (unsigned int i = 0; i < SDXI_MODEL_MAX_CONTEXTS; i++)
			context_serve(&model->contexts[i], &busy, &later);
		if (busy)
			continue;
		atomic_fetch_add(&model->nr_asleep, 1);
		futex_wait(&model->work, seen, later ? STRAY_LOOK_NS : FUTEX_FOREVER);
		atomic_fetch_sub(&model->nr_asleep, 1);
	}
	return NULL;
}

static int model_start_engines(struct sdxi_model *model)
{
	int err = 0;

	while (!err && model->nr_started < model->config.nr_engines) {
		struct model_engine *engine = &model->engines[model->nr_started];

		engine->model = model;
		err = thread_start(&engine->thread, engine_main, engine);
		if (!err)
			model->nr_started++;
	}
	return err;
}

int sdxi_model_open(const struct sdxi_model_config *config, struct sdxi_model **out)
{
	struct sdxi_model *model;
	void *memory;
	int err;

	if (config->nr_engines > SDXI_MODEL_MAX_ENGINES ||
	    (!config->nr_engines && config->fault_ppm[SDXI_FAULT_STRAY]))
		return -EINVAL;
	err = vault_alloc(sizeof(*model), &memory);
	if (err)
		return err;
	model = memory;
	model->config = *config;
	err = model_start_engines(model);
	if (err)
		sdxi_model_close(model);
	else
		*out = model;
	return err;
}

void sdxi_model_close(struct sdxi_model *model)
{
	if (!model)
		return;
	atomic_store(&model->closing, true);
	atomic_fetch_add(&model->work, 1);
	futex_wake(&model->work, UINT32_MAX);
	for (unsigned int i = 0; i < model->nr_started; i++)
		thread_join(&model->engines[i].thread);
	vault_free(model, sizeof(*model));
}

static uint64_t counter_get(_Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void sdxi_model_stats(struct sdxi_model *model, struct sdxi_model_stats *out)
{
	*out = (struct sdxi_model_stats){
		.descriptors = counter_get(&model->descriptors),
		.late_doorbells = counter_get(&model->late_doorbells),
		.interrupts = counter_get(&model->interrupts),
	};
	for (unsigned int i = 0; i < SDXI_NR_FAULTS; i++)
		out->faults[i] = counter_get(&model->faults[i]);
	for (unsigned int i = 0; i < SDXI_NR_RULES; i++) {
		out->breaches[i] = counter_get(&model->breaches[i]);
		out->nr_breaches += out->breaches[i];
	}
}
