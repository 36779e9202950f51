// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/copy/engine_run.h"

#define DEPTH_MAX    64
#define STRAY_MAX_NS (10 * NS_PER_SEC)

static int engine_run_try_open(struct engine_run *run, const char *spec, unsigned int nr_threads,
			       const struct placement *placement, char *why, size_t why_bytes)
{
	struct engine_env env = {0};
	int err;

	snprintf(why, why_bytes, "cannot start worker threads: raise `ulimit -u`");
	if (nr_threads > 1) {
		err = crew_open(placement, nr_threads - 1, &run->crew);
		if (err)
			return err;
	}
	env.crew = run->crew;
	err = engine_open(spec, &env, &run->engine, why, why_bytes);
	if (!err)
		err = run->engine->ops->channel_open(run->engine, -1, &run->channel);
	return err;
}

int engine_run_open(struct engine_run *run, const char *spec, unsigned int nr_threads,
		    const struct placement *placement)
{
	char why[256] = "";
	int err;

	memset(run, 0, sizeof(*run));
	err = engine_run_try_open(run, spec, nr_threads, placement, why, sizeof(why));
	if (!err)
		return CLI_OK;
	engine_run_close(run);
	cli_error("--engine %s: %s", spec, *why ? why : strerror(-err));
	return cli_is_spec_error(err) ? CLI_USAGE : CLI_UNSUPPORTED;
}

void engine_run_close(struct engine_run *run)
{
	if (run->channel)
		run->engine->ops->channel_close(run->channel);
	engine_close(run->engine);
	crew_close(run->crew);
	memset(run, 0, sizeof(*run));
}

void engine_run_count(const struct engine_run *run, struct counters *counters)
{
	counters_restart(counters);
	if (run->engine->ops->counters)
		run->engine->ops->counters(run->engine, counters_add, counters);
}

/* Makes a batch of the first items; returns their number. */
static uint32_t batch_fill(const struct engine_run *run, struct engine_batch *batch,
			   struct engine_item *items, uint32_t nr_items, size_t batch_bytes)
{
	uint32_t nr = 0;

	memset(batch, 0, sizeof(*batch));
	batch->items = items;
	batch->folio_bytes = run->folio_bytes;
	batch->other_node = run->other_node;
	while (nr < nr_items && (!nr || batch->bytes + items[nr].len_bytes <= batch_bytes)) {
		items[nr].state = ENGINE_NOT_ATTEMPTED;
		batch->bytes += items[nr++].len_bytes;
	}
	batch->nr_items = nr;
	return nr;
}

/*
 * Copies what the engine did not, once no device can write there any more. Returns the number of
 * those items.
 */
static long batch_finish(struct engine_run *run, struct engine_batch *batch)
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

/* Batches submitted and not finished. */
struct in_flight {
	struct engine_batch batches[DEPTH_MAX];
	bool busy[DEPTH_MAX];
	unsigned int depth, nr_busy;
	long nr_left;
};

static int flight_end(struct engine_run *run, struct in_flight *flight, struct engine_batch *batch)
{
	long left = batch_finish(run, batch);

	if (left < 0)
		return (int)left;
	flight->nr_left += left;
	flight->busy[batch - flight->batches] = false;
	flight->nr_busy--;
	return 0;
}

static int flight_poll(struct engine_run *run, struct in_flight *flight)
{
	struct engine_batch *done[DEPTH_MAX];
	uint32_t nr;

	if (!run->engine->ops->poll)
		return -EPROTO;
	nr = run->engine->ops->poll(run->channel, 10 * NS_PER_MS, done, DEPTH_MAX);
	for (uint32_t i = 0; i < nr; i++) {
		int err = flight_end(run, flight, done[i]);

		if (err)
			return err;
	}
	return 0;
}

static struct engine_batch *flight_new_batch(struct in_flight *flight)
{
	unsigned int i = 0;

	while (flight->busy[i])
		i++;
	flight->busy[i] = true;
	flight->nr_busy++;
	return &flight->batches[i];
}

static int flight_submit(struct engine_run *run, struct in_flight *flight,
			 struct engine_batch *batch)
{
	for (;;) {
		switch (run->engine->ops->submit(run->channel, batch)) {
		case ENGINE_DONE:
			return flight_end(run, flight, batch);
		case ENGINE_QUEUED:
			return 0;
		case ENGINE_BUSY:
			break;
		}
		/* The engine is busy and has no batch of ours to wait for: the CPU copies. */
		if (flight->nr_busy == 1)
			return flight_end(run, flight, batch);
		if (flight_poll(run, flight))
			return -ETIMEDOUT;
	}
}

long engine_run_copy(struct engine_run *run, struct engine_item *items, uint32_t nr_items,
		     size_t batch_bytes)
{
	struct in_flight flight = {.depth = MIN(MAX(run->engine->depth, 1U), (uint32_t)DEPTH_MAX)};
	int err = 0;

	for (uint32_t at = 0; at < nr_items && !err;) {
		struct engine_batch *batch;

		while (flight.nr_busy == flight.depth && !err)
			err = flight_poll(run, &flight);
		if (err)
			break;
		batch = flight_new_batch(&flight);
		at += batch_fill(run, batch, items + at, nr_items - at, batch_bytes);
		err = flight_submit(run, &flight, batch);
	}
	while (flight.nr_busy && !err)
		err = flight_poll(run, &flight);
	return err ? err : flight.nr_left;
}
