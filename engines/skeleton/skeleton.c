// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A template for engines: it queues batches and copies one item per poll, in the calling thread.
 * docs/engines.md explains it. tests/unit/skeleton.c compiles and runs it; it is not a part of the
 * library.
 */
#include <errno.h>
#include <stdatomic.h>

#include "base/vault.h"
#include "copy/kernels.h"
#include "engines/engine.h"
#include "engines/params.h"

#define PARAMS "depth=N"

extern const struct engine_ops skeleton_engine_ops;

/* Shared by all channels. CONTAINER_OF finds it from the public part. */
struct skeleton {
	struct engine engine;
	const struct copy_kernel *kernel;
	atomic_ulong nr_items;
};

/* Private to one thread: no locks. */
struct skeleton_channel {
	struct engine_channel channel;
	struct engine_batch *queued, **queued_tail;
	uint32_t nr_queued;
};

static int params_parse(const char *params, uint32_t *depth, char *why, size_t why_bytes)
{
	struct engine_param param;

	*depth = 4;
	while (engine_param_next(&params, &param)) {
		uint64_t n;

		if (!engine_param_key(&param, "depth") || !engine_param_number(&param, 1, 64, &n))
			return engine_param_bad(&param, "skeleton", "no such", PARAMS, why,
						why_bytes);
		*depth = (uint32_t)n;
	}
	return 0;
}

/* Required. Can the engine be used here? If not, why names the cause and the remedy. */
static int skeleton_probe(const char *params, char *why, size_t why_bytes)
{
	uint32_t depth;

	return params_parse(params, &depth, why, why_bytes);
}

/* Required. close must accept the engine at every point where this can fail. */
static int skeleton_open(const struct engine_env *env __maybe_unused, const char *params,
			 struct engine **out, char *why, size_t why_bytes)
{
	struct skeleton *skeleton;
	void *memory;
	uint32_t depth;
	int err = params_parse(params, &depth, why, why_bytes);

	if (err)
		return err;
	err = vault_alloc(sizeof(*skeleton), &memory);
	if (err)
		return err;
	skeleton = memory;
	skeleton->engine.ops = &skeleton_engine_ops;
	skeleton->engine.depth = depth;
	skeleton->engine.batch_items = 32;
	skeleton->kernel = copy_kernel_best(PAGE_BYTES, 1);
	*out = &skeleton->engine;
	return 0;
}

/* Required. */
static void skeleton_close(struct engine *engine)
{
	if (engine)
		vault_free(CONTAINER_OF(engine, struct skeleton, engine), sizeof(struct skeleton));
}

/* Required. An engine with several devices chooses those near the node. */
static int skeleton_channel_open(struct engine *engine, int near_node __maybe_unused,
				 struct engine_channel **out)
{
	struct skeleton_channel *ch;
	void *memory;
	int err = vault_alloc(sizeof(*ch), &memory);

	if (err)
		return err;
	ch = memory;
	ch->channel.engine = engine;
	ch->queued_tail = &ch->queued;
	*out = &ch->channel;
	return 0;
}

/* Required. Nothing is in flight when it is called. */
static void skeleton_channel_close(struct engine_channel *channel)
{
	if (channel)
		vault_free(CONTAINER_OF(channel, struct skeleton_channel, channel),
			   sizeof(struct skeleton_channel));
}

/* Required. A synchronous engine copies here and returns ENGINE_DONE. */
static enum engine_verdict skeleton_submit(struct engine_channel *channel,
					   struct engine_batch *batch)
{
	struct skeleton_channel *ch = CONTAINER_OF(channel, struct skeleton_channel, channel);

	if (!batch->nr_items)
		return ENGINE_DONE;
	if (ch->nr_queued == channel->engine->depth)
		return ENGINE_BUSY;
	batch->nr_left = batch->nr_items;
	batch->next = NULL;
	*ch->queued_tail = batch;
	ch->queued_tail = &batch->next;
	ch->nr_queued++;
	return ENGINE_QUEUED;
}

/* Items may end in any order: here the last one is first. */
static void batch_copy_one(struct skeleton_channel *ch, struct engine_batch *batch)
{
	struct skeleton *skeleton = CONTAINER_OF(ch->channel.engine, struct skeleton, engine);
	struct engine_item *item = &batch->items[--batch->nr_left];

	skeleton->kernel->copy(item->dst, item->src, item->len_bytes);
	item->state = ENGINE_COPIED;
	item->detail = 0;
	atomic_fetch_add_explicit(&skeleton->nr_items, 1, memory_order_relaxed);
}

/* Required if submit may return ENGINE_QUEUED. This engine never needs to wait. */
static uint32_t skeleton_poll(struct engine_channel *channel, uint64_t wait_ns __maybe_unused,
			      struct engine_batch **done, uint32_t max)
{
	struct skeleton_channel *ch = CONTAINER_OF(channel, struct skeleton_channel, channel);
	struct engine_batch *batch = ch->queued;

	if (!batch || !max)
		return 0;
	batch_copy_one(ch, batch);
	if (batch->nr_left)
		return 0;
	ch->queued = batch->next;
	if (!ch->queued)
		ch->queued_tail = &ch->queued;
	ch->nr_queued--;
	done[0] = batch;
	return 1;
}

/* Optional. */
static void skeleton_counters(struct engine *engine, engine_counter_fn fn, void *arg)
{
	fn(arg, "items", atomic_load(&CONTAINER_OF(engine, struct skeleton, engine)->nr_items));
}

/* In the library this is a row of engine_table; a shared object exports it as engine_ops. */
const struct engine_ops skeleton_engine_ops = {
	.abi = ENGINE_ABI,
	.size = sizeof(struct engine_ops),
	.name = "skeleton",
	.summary = "an example that copies one item at a time",
	.params_help = PARAMS,
	.priority = -1,
	.probe = skeleton_probe,
	.open = skeleton_open,
	.close = skeleton_close,
	.channel_open = skeleton_channel_open,
	.channel_close = skeleton_channel_close,
	.submit = skeleton_submit,
	.poll = skeleton_poll,
	.quiet = NULL, /* no item is ever STRAY */
	.counters = skeleton_counters,
};
