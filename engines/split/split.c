// SPDX-License-Identifier: LGPL-2.1-or-later
/* Opens and closes the engine that splits batches, and its channels; reports counters. */
#include <errno.h>
#include <stdio.h>

#include "base/vault.h"
#include "engines/split/split.h"

static const char *const count_names[NR_SPLIT_COUNTS] = {
	[SPLIT_BATCHES] = "batches", [SPLIT_BYTES] = "bytes", [SPLIT_COPIED] = "copied_bytes",
	[SPLIT_PROBES] = "probes",   [SPLIT_BUSY] = "busy",   [SPLIT_DECLINED] = "declined",
	[SPLIT_LEFT] = "left",       [SPLIT_BACK] = "taken",
};

static const struct engine_ops split_engine_ops;

static void parts_close_channels(struct split_channel *channel)
{
	struct split_engine *engine = split_engine_of(channel);

	for (unsigned int i = 0; i < engine->nr_parts; i++)
		if (channel->parts[i])
			engine->parts[i].engine->ops->channel_close(channel->parts[i]);
}

static int split_channel_open(struct engine *base, int near_node, struct engine_channel **out)
{
	struct split_engine *engine = CONTAINER_OF(base, struct split_engine, engine);
	struct split_channel *channel;
	int err = vault_alloc(sizeof(*channel), (void **)&channel);

	if (err)
		return err;
	channel->channel.engine = base;
	for (unsigned int i = 0; i < engine->nr_parts && !err; i++)
		err = engine->parts[i].engine->ops->channel_open(engine->parts[i].engine, near_node,
								 &channel->parts[i]);
	if (err) {
		parts_close_channels(channel);
		vault_free(channel, sizeof(*channel));
		return err;
	}
	channel->known[engine->nr_parts - 1].in_use = true;
	channel->done_tail = &channel->done;
	counts_open(&engine->counts, &channel->counts, channel->count_values);
	*out = &channel->channel;
	return 0;
}

/*
 * A device that hangs may still write destinations, which are the caller's, and memory of its own
 * channel, which that channel keeps. It does not write memory of this one.
 */
static void split_channel_close(struct engine_channel *base)
{
	struct split_channel *channel;

	if (!base)
		return;
	channel = CONTAINER_OF(base, struct split_channel, channel);
	counts_close(&split_engine_of(channel)->counts, &channel->counts);
	parts_close_channels(channel);
	vault_free(channel, sizeof(*channel));
}

/* Asks all of them, because asking is what makes some drain their devices. */
static bool split_quiet(struct engine_channel *base)
{
	struct split_channel *channel = CONTAINER_OF(base, struct split_channel, channel);
	bool quiet = true;

	for (unsigned int i = 0; i < split_engine_of(channel)->nr_parts; i++) {
		struct engine_channel *part = channel->parts[i];

		if (part->engine->ops->quiet)
			quiet &= part->engine->ops->quiet(part);
	}
	return quiet;
}

/* A counter of a part, under the part's name. */
struct relay {
	const char *name;
	engine_counter_fn fn;
	void *arg;
};

static void relay_count(void *arg, const char *name, uint64_t value)
{
	const struct relay *relay = arg;

	counts_report(relay->fn, relay->arg, value, "%s.%s", relay->name, name);
}

static void split_counters(struct engine *base, engine_counter_fn fn, void *arg)
{
	struct split_engine *engine = CONTAINER_OF(base, struct split_engine, engine);
	uint64_t total[SPLIT_PARTS * NR_SPLIT_COUNTS];

	counts_total(&engine->counts, total);
	for (unsigned int i = 0; i < engine->nr_parts; i++)
		for (unsigned int what = 0; what < NR_SPLIT_COUNTS; what++)
			counts_report(fn, arg, total[i * NR_SPLIT_COUNTS + what], "split.%s.%s",
				      engine->parts[i].name, count_names[what]);
	for (unsigned int i = 0; i < engine->nr_parts; i++) {
		struct relay relay = {engine->parts[i].name, fn, arg};

		if (engine->parts[i].engine->ops->counters)
			engine->parts[i].engine->ops->counters(engine->parts[i].engine, relay_count,
							       &relay);
	}
}

static void split_close(struct engine *base)
{
	struct split_engine *engine;

	if (!base)
		return;
	engine = CONTAINER_OF(base, struct split_engine, engine);
	for (unsigned int i = 0; i < engine->nr_parts; i++)
		engine->parts[i].engine->ops->close(engine->parts[i].engine);
	vault_free(engine, sizeof(*engine));
}

/* It is opened from open parts only: split_open(). */
static int split_open_by_name(const struct engine_env *env __maybe_unused,
			      const char *params __maybe_unused, struct engine **out __maybe_unused,
			      char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "name the engines, joined by '+'");
	return -EINVAL;
}

static int split_probe(const char *params, char *why, size_t why_bytes)
{
	return split_open_by_name(NULL, params, NULL, why, why_bytes);
}

static const struct engine_ops split_engine_ops = {
	.abi = ENGINE_ABI,
	.size = sizeof(struct engine_ops),
	.name = "split",
	.summary = "several engines, which share each batch by their rates",
	.priority = -1,
	.probe = split_probe,
	.open = split_open_by_name,
	.close = split_close,
	.channel_open = split_channel_open,
	.channel_close = split_channel_close,
	.submit = split_submit,
	.poll = split_poll,
	.quiet = split_quiet,
	.counters = split_counters,
};

/* The part that copies in the caller's threads; else the last one. */
static unsigned int parts_find_base(struct engine *const *parts, unsigned int nr_parts)
{
	for (unsigned int i = 0; i < nr_parts; i++)
		if (parts[i]->hold || parts[i]->depth == 1)
			return i;
	return nr_parts - 1;
}

static void engine_add_part(struct split_engine *engine, struct engine *part, const char *name)
{
	struct split_member *member = &engine->parts[engine->nr_parts++];

	member->engine = part;
	snprintf(member->name, sizeof(member->name), "%s", name);
	engine->engine.depth = MAX(engine->engine.depth, part->depth);
	engine->engine.batch_items = MAX(engine->engine.batch_items, part->batch_items);
}

int split_open(struct engine *const *parts, const char *const *names, unsigned int nr_parts,
	       struct engine **out)
{
	unsigned int base = parts_find_base(parts, nr_parts);
	struct split_engine *engine;
	int err = vault_alloc(sizeof(*engine), (void **)&engine);

	if (err)
		return err;
	engine->engine.ops = &split_engine_ops;
	counts_init(&engine->counts, engine->closed_counts, SPLIT_PARTS * NR_SPLIT_COUNTS);
	for (unsigned int i = 0; i < nr_parts; i++)
		if (i != base)
			engine_add_part(engine, parts[i], names[i]);
	engine_add_part(engine, parts[base], names[base]);
	engine->engine.depth = MIN(engine->engine.depth, (uint32_t)SPLIT_FLIGHTS);
	engine->engine.hold = MIN(parts[base]->hold, (uint32_t)SPLIT_FLIGHTS / 2);
	*out = &engine->engine;
	return 0;
}
