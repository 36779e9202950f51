// SPDX-License-Identifier: LGPL-2.1-or-later
/* An engine that flips one bit in every hundredth item and reports success. */
#include <string.h>

#include "engines/engine.h"

static struct engine engine;
static struct engine_channel channel = {.engine = &engine};
static unsigned int nr_items;

static int liar_probe(const char *params, char *why, size_t why_bytes)
{
	return 0;
}

static int liar_open(const struct engine_env *env, const char *params, struct engine **out,
		     char *why, size_t why_bytes)
{
	*out = &engine;
	return 0;
}

static void liar_close(struct engine *closed)
{
}

static int liar_channel_open(struct engine *opened, int near_node, struct engine_channel **out)
{
	*out = &channel;
	return 0;
}

static void liar_channel_close(struct engine_channel *closed)
{
}

static enum engine_verdict liar_submit(struct engine_channel *used, struct engine_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr_items; i++) {
		struct engine_item *item = &batch->items[i];

		memcpy(item->dst, item->src, item->len_bytes);
		if (__atomic_add_fetch(&nr_items, 1, __ATOMIC_RELAXED) % 100 == 0)
			((unsigned char *)item->dst)[item->len_bytes / 3] ^= 0x10;
		item->state = ENGINE_COPIED;
	}
	return ENGINE_DONE;
}

extern const struct engine_ops engine_ops;
const struct engine_ops engine_ops = {
	.abi = ENGINE_ABI,
	.size = sizeof(struct engine_ops),
	.name = "liar",
	.summary = "flips a bit in every hundredth item",
	.probe = liar_probe,
	.open = liar_open,
	.close = liar_close,
	.channel_open = liar_channel_open,
	.channel_close = liar_channel_close,
	.submit = liar_submit,
};

static struct engine engine = {.ops = &engine_ops, .depth = 1, .batch_items = 64};
