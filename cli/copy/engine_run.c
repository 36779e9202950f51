// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/copy/engine_run.h"

#define DEPTH_MAX    64
#define STRAY_MAX_NS (10 * NS_PER_SEC)

int engine_run_open(struct engine_run *run, const char *spec, unsigned int nr_threads,
		    const struct placement *placement, char *why, size_t why_bytes)
{
	struct engine_env env = {0};
	int err;

	memset(run, 0, sizeof(*run));
	snprintf(why, why_bytes, "worker threads can't be started: raise `ulimit -u`");
	if (nr_threads > 1) {
		err = crew_open(placement, nr_threads - 1, &run->crew);
		if (err)
			return err;
	}
	env.crew = run->crew;
	err = engine_open(spec, &env, &run->engine, why, why_bytes);
	if (!err)
		err = run->engine->ops->channel_open(run->engine, -1, &run->channel);
	if (err)
		engine_run_close(run);
	return err;
}

void engine_run_close(struct engine_run *run)
{
	if (run->channel)
		run->engine->ops->channel_close(run->channel);
	engine_close(run->engine);
	crew_close(run->crew);
	memset(run, 0, sizeof(*run));
}

/* Items from first that make up one batch. */
static uint32_t cut_batch(struct engine_batch *batch, struct engine_item *items, uint32_t nr_items,
			  size_t batch_bytes)
{
	uint32_t nr = 0;

	memset(batch, 0, sizeof(*batch));
	batch->items = items;
	while (nr < nr_items && (!nr || batch->bytes + items[nr].len_bytes <= batch_bytes)) {
		items[nr].state = ENGINE_NOT_ATTEMPTED;
		batch->bytes += items[nr++].len_bytes;
	}
	batch->nr_items = nr;
	return nr;
}

/* Items that the engine did not copy are copied here, once nobody else writes to them. */
static long finish_batch(struct engine_run *run, struct engine_batch *batch)
{
	const struct engine_ops *ops = run->engine->ops;
	uint64_t end_ns = now_ns() + STRAY_MAX_NS;
	long nr_left = 0;

	for (uint32_t i = 0; i < batch->nr_items; i++) {
		struct engine_item *item = &batch->items[i];

		if (item->state == ENGINE_COPIED)
			continue;
		while (item->state == ENGINE_STRAY && ops->quiet && !ops->quiet(run->channel)) {
			if (now_ns() > end_ns)
				return -ETIMEDOUT;
			cpu_relax();
		}
		memcpy(item->dst, item->src, item->len_bytes);
		nr_left++;
	}
	return nr_left;
}

struct flight {
	struct engine_batch batches[DEPTH_MAX];
	bool busy[DEPTH_MAX];
	unsigned int depth, nr_busy;
	long nr_left;
};

static int land(struct engine_run *run, struct flight *flight, struct engine_batch *batch)
{
	long left = finish_batch(run, batch);

	if (left < 0)
		return (int)left;
	flight->nr_left += left;
	flight->busy[batch - flight->batches] = false;
	flight->nr_busy--;
	return 0;
}

static int collect(struct engine_run *run, struct flight *flight)
{
	struct engine_batch *done[DEPTH_MAX];
	uint32_t nr;

	if (!run->engine->ops->poll)
		return -EPROTO;
	nr = run->engine->ops->poll(run->channel, 10 * NS_PER_MS, done, DEPTH_MAX);
	for (uint32_t i = 0; i < nr; i++) {
		int err = land(run, flight, done[i]);

		if (err)
			return err;
	}
	return 0;
}

static struct engine_batch *free_batch(struct flight *flight)
{
	unsigned int i = 0;

	while (flight->busy[i])
		i++;
	flight->busy[i] = true;
	flight->nr_busy++;
	return &flight->batches[i];
}

static int launch(struct engine_run *run, struct flight *flight, struct engine_batch *batch)
{
	for (;;) {
		switch (run->engine->ops->submit(run->channel, batch)) {
		case ENGINE_DONE:
			return land(run, flight, batch);
		case ENGINE_QUEUED:
			return 0;
		case ENGINE_BUSY:
			break;
		}
		/* Busy with nothing of ours in flight: the CPU copies it. */
		if (flight->nr_busy == 1)
			return land(run, flight, batch);
		if (collect(run, flight))
			return -ETIMEDOUT;
	}
}

long engine_run_copy(struct engine_run *run, struct engine_item *items, uint32_t nr_items,
		     size_t batch_bytes)
{
	struct flight flight = {.depth = MIN(MAX(run->engine->depth, 1U), (uint32_t)DEPTH_MAX)};
	int err = 0;

	for (uint32_t at = 0; at < nr_items && !err;) {
		struct engine_batch *batch;

		while (flight.nr_busy == flight.depth && !err)
			err = collect(run, &flight);
		if (err)
			break;
		batch = free_batch(&flight);
		at += cut_batch(batch, items + at, nr_items - at, batch_bytes);
		err = launch(run, &flight, batch);
	}
	while (flight.nr_busy && !err)
		err = collect(run, &flight);
	return err ? err : flight.nr_left;
}
