// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Wraps another engine and lets every N-th item fail, in every state that an engine may report and
 * as hardware fails: partly written destinations, late completions in any order, and writes that
 * arrive long after the timeout. The fate of an item depends only on the parameters, the number of
 * the channel and the number of the item in that channel.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/vault.h"
#include "engines/engine.h"
#include "engines/fault/params.h"
#include "engines/fault/strays.h"

#define DEPTH         4
#define BUSY_TRIES    1000
#define INNER_POLL_NS NS_PER_MS

extern const struct engine_ops fault_engine_ops;

struct fault_engine {
	struct engine engine;
	struct engine *inner;
	struct crew *crew;
	struct fault_params params;
	atomic_uint nr_channels;
	atomic_ullong injected[NR_FATES];
};

struct fault_channel {
	struct engine_channel channel;
	struct engine_channel *inner;
	uint64_t random;
	uint64_t phase;      /* added to item numbers, so that channels differ */
	uint64_t nr_items;   /* seen so far */
	uint64_t refused_at; /* 1 + the number of the first item of the batch refused last */
	struct engine_batch *queue[DEPTH]; /* QUEUED; scratch: due time, first item's number */
	unsigned int nr_queued;
	struct strays strays;
};

static struct fault_engine *fault_of(const struct fault_channel *channel)
{
	return CONTAINER_OF(channel->channel.engine, struct fault_engine, engine);
}

static uint64_t channel_random(struct fault_channel *channel)
{
	channel->random ^= channel->random << 13;
	channel->random ^= channel->random >> 7;
	channel->random ^= channel->random << 17;
	return channel->random;
}

/* Half to one and a half times the configured delay. */
static uint64_t channel_delay_ns(struct fault_channel *channel)
{
	uint64_t mean_ns = fault_of(channel)->params.delay_us * NS_PER_US;

	return mean_ns / 2 + channel_random(channel) % (mean_ns + 1);
}

static enum fate item_fate(const struct fault_channel *channel, uint64_t item)
{
	const struct fault_params *params = &fault_of(channel)->params;
	uint64_t number = item + channel->phase + 1;

	if (number % params->every)
		return FATE_NONE;
	if (params->what != FATE_NONE)
		return params->what;
	return (enum fate)(number / params->every % NR_FATES);
}

static void fault_count(struct fault_channel *channel, enum fate fate)
{
	atomic_fetch_add_explicit(&fault_of(channel)->injected[fate], 1, memory_order_relaxed);
}

/* Writes bytes that differ from the source to a part of the destination, or to all of it. */
static void item_write_partly(struct fault_channel *channel, struct engine_item *item)
{
	uint32_t len = 1 + (uint32_t)(channel_random(channel) % item->len_bytes);

	for (uint32_t i = 0; i < len; i++)
		((uint8_t *)item->dst)[i] = (uint8_t) ~((const uint8_t *)item->src)[i];
}

static void item_spoil(struct fault_channel *channel, struct engine_item *item, enum fate fate)
{
	if (fate == FATE_STRAY && !strays_add(&channel->strays, item->dst, item->len_bytes,
					      now_ns() + channel_delay_ns(channel)))
		fate = FATE_FAIL;
	switch (fate) {
	case FATE_UNDONE:
		item->state = ENGINE_NOT_ATTEMPTED;
		break;
	case FATE_FAULT:
		item_write_partly(channel, item);
		item->state = ENGINE_FAULT;
		break;
	case FATE_STRAY:
		item->state = ENGINE_STRAY;
		break;
	default:
		item_write_partly(channel, item);
		item->state = ENGINE_ERROR;
	}
	item->detail = 0;
	fault_count(channel, fate);
}

/* Copies items without a fault. An inner engine that stays busy leaves them NOT_ATTEMPTED. */
static void inner_run(struct fault_channel *channel, const struct engine_batch *whole,
		      uint32_t start, uint32_t end)
{
	const struct engine_ops *ops = fault_of(channel)->inner->ops;
	struct engine_batch batch = {.items = &whole->items[start],
				     .nr_items = end - start,
				     .nr_threads = whole->nr_threads};
	struct engine_batch *done;

	if (start == end)
		return;
	for (uint32_t i = 0; i < batch.nr_items; i++)
		batch.bytes += batch.items[i].len_bytes;
	for (unsigned int try = 0; try < BUSY_TRIES; try++) {
		switch (ops->submit(channel->inner, &batch)) {
		case ENGINE_QUEUED:
			while (!ops->poll(channel->inner, INNER_POLL_NS, &done, 1))
				;
			return;
		case ENGINE_DONE:
			return;
		case ENGINE_BUSY:
			cpu_relax();
		}
	}
	for (uint32_t i = 0; i < batch.nr_items; i++)
		batch.items[i].state = ENGINE_NOT_ATTEMPTED;
}

static bool fate_spoils(enum fate fate)
{
	return fate != FATE_NONE && fate != FATE_DELAY && fate != FATE_BUSY;
}

static void batch_serve(struct fault_channel *channel, struct engine_batch *batch, uint64_t first)
{
	uint32_t start = 0;

	for (uint32_t i = 0; i < batch->nr_items; i++) {
		enum fate fate = item_fate(channel, first + i);

		if (!fate_spoils(fate))
			continue;
		inner_run(channel, batch, start, i);
		item_spoil(channel, &batch->items[i], fate);
		start = i + 1;
	}
	inner_run(channel, batch, start, batch->nr_items);
}

static bool batch_has_fate(const struct fault_channel *channel, uint64_t first, uint32_t nr_items,
			   enum fate fate)
{
	for (uint32_t i = 0; i < nr_items; i++)
		if (item_fate(channel, first + i) == fate)
			return true;
	return false;
}

/* A refused batch comes again with the same item numbers, and is accepted then. */
static bool channel_refuses(struct fault_channel *channel, const struct engine_batch *batch)
{
	uint64_t first = channel->nr_items;

	if (channel->nr_queued == DEPTH)
		return true;
	if (channel->refused_at == first + 1 ||
	    !batch_has_fate(channel, first, batch->nr_items, FATE_BUSY))
		return false;
	channel->refused_at = first + 1;
	fault_count(channel, FATE_BUSY);
	return true;
}

static enum engine_verdict fault_submit(struct engine_channel *base, struct engine_batch *batch)
{
	struct fault_channel *channel = CONTAINER_OF(base, struct fault_channel, channel);
	uint64_t first = channel->nr_items;

	strays_write_due(&channel->strays);
	if (channel_refuses(channel, batch))
		return ENGINE_BUSY;
	channel->nr_items += batch->nr_items;
	if (!batch_has_fate(channel, first, batch->nr_items, FATE_DELAY)) {
		batch_serve(channel, batch, first);
		return ENGINE_DONE;
	}
	fault_count(channel, FATE_DELAY);
	batch->scratch[0] = now_ns() + channel_delay_ns(channel);
	batch->scratch[1] = first;
	channel->queue[channel->nr_queued++] = batch;
	return ENGINE_QUEUED;
}

/* Removes a random one of the batches that are due from the queue. */
static struct engine_batch *queue_take_due(struct fault_channel *channel, uint64_t now)
{
	unsigned int start = (unsigned int)(channel_random(channel) % DEPTH);

	for (unsigned int i = 0; i < channel->nr_queued; i++) {
		unsigned int at = (start + i) % channel->nr_queued;
		struct engine_batch *batch = channel->queue[at];

		if (batch->scratch[0] > now)
			continue;
		channel->queue[at] = channel->queue[--channel->nr_queued];
		return batch;
	}
	return NULL;
}

static uint64_t queue_first_due_ns(const struct fault_channel *channel)
{
	uint64_t first_ns = UINT64_MAX;

	for (unsigned int i = 0; i < channel->nr_queued; i++)
		first_ns = MIN(first_ns, channel->queue[i]->scratch[0]);
	return first_ns;
}

static uint32_t fault_poll(struct engine_channel *base, uint64_t wait_ns,
			   struct engine_batch **done, uint32_t max)
{
	struct fault_channel *channel = CONTAINER_OF(base, struct fault_channel, channel);
	struct engine_batch *batch;
	uint64_t now = now_ns();
	uint32_t nr = 0;

	strays_write_due(&channel->strays);
	if (!channel->nr_queued)
		return 0;
	if (queue_first_due_ns(channel) > now) {
		uint64_t wait_until = wait_ns > UINT64_MAX - now ? UINT64_MAX : now + wait_ns;

		fault_sleep_until(MIN(wait_until, queue_first_due_ns(channel)));
		now = now_ns();
	}
	while (nr < max && (batch = queue_take_due(channel, now))) {
		batch_serve(channel, batch, batch->scratch[1]);
		done[nr++] = batch;
	}
	return nr;
}

static bool fault_quiet(struct engine_channel *base)
{
	struct fault_channel *channel = CONTAINER_OF(base, struct fault_channel, channel);
	const struct engine_ops *ops = fault_of(channel)->inner->ops;

	return !strays_write_due(&channel->strays) && (!ops->quiet || ops->quiet(channel->inner));
}

static int fault_channel_open(struct engine *engine, int near_node, struct engine_channel **out)
{
	struct fault_engine *fault = CONTAINER_OF(engine, struct fault_engine, engine);
	struct fault_channel *channel;
	int err;

	if (vault_alloc(sizeof(*channel), (void **)&channel))
		return -ENOMEM;
	err = fault->inner->ops->channel_open(fault->inner, near_node, &channel->inner);
	if (err) {
		vault_free(channel, sizeof(*channel));
		return err;
	}
	channel->channel.engine = engine;
	strays_init(&channel->strays, fault->crew);
	channel->random = (fault->params.seed + 1) * 0x9e3779b97f4a7c15ULL +
			  atomic_fetch_add(&fault->nr_channels, 1);
	channel->random += !channel->random;
	channel->phase = channel_random(channel) % (fault->params.every * NR_FATES);
	*out = &channel->channel;
	return 0;
}

static void fault_channel_close(struct engine_channel *base)
{
	struct fault_channel *channel;
	struct fault_engine *fault;

	if (!base)
		return;
	channel = CONTAINER_OF(base, struct fault_channel, channel);
	fault = fault_of(channel);
	strays_drain(&channel->strays);
	fault->inner->ops->channel_close(channel->inner);
	vault_free(channel, sizeof(*channel));
}

/* Opening the inner engine probes it. */
static int fault_probe(const char *text, char *why, size_t why_bytes)
{
	struct fault_params params;

	return fault_parse(text, &params, why, why_bytes);
}

static void fault_close(struct engine *engine)
{
	struct fault_engine *fault;

	if (!engine)
		return;
	fault = CONTAINER_OF(engine, struct fault_engine, engine);
	if (fault->inner)
		fault->inner->ops->close(fault->inner);
	vault_free(fault, sizeof(*fault));
}

static int fault_open(const struct engine_env *env, const char *text, struct engine **out,
		      char *why, size_t why_bytes)
{
	struct fault_engine *fault;
	struct fault_params params;
	int err;

	err = fault_parse(text, &params, why, why_bytes);
	if (err)
		return err;
	if (vault_alloc(sizeof(*fault), (void **)&fault)) {
		snprintf(why, why_bytes, "engine fault: out of memory");
		return -ENOMEM;
	}
	err = env->open_inner(params.inner, env, &fault->inner, why, why_bytes);
	if (err) {
		vault_free(fault, sizeof(*fault));
		return err;
	}
	/* The text belongs to the caller and may not live as long as the engine. */
	params.inner = NULL;
	fault->params = params;
	fault->crew = env->crew;
	fault->engine.ops = &fault_engine_ops;
	fault->engine.depth = DEPTH;
	fault->engine.batch_items = fault->inner->batch_items;
	fault->engine.hold = MIN(fault->inner->hold, (uint32_t)DEPTH);
	*out = &fault->engine;
	return 0;
}

static void fault_counters(struct engine *engine, engine_counter_fn fn, void *arg)
{
	struct fault_engine *fault = CONTAINER_OF(engine, struct fault_engine, engine);

	for (unsigned int i = 0; i < NR_FATES; i++)
		fn(arg, fault_fates[i].counter, atomic_load(&fault->injected[i]));
	if (fault->inner->ops->counters)
		fault->inner->ops->counters(fault->inner, fn, arg);
}

const struct engine_ops fault_engine_ops = {
	.abi = ENGINE_ABI,
	.size = sizeof(struct engine_ops),
	.name = "fault",
	.summary = "wraps another engine and lets every N-th item go wrong; for tests",
	.params_help = FAULT_PARAMS_HELP,
	.priority = -1,
	.probe = fault_probe,
	.open = fault_open,
	.close = fault_close,
	.channel_open = fault_channel_open,
	.channel_close = fault_channel_close,
	.submit = fault_submit,
	.poll = fault_poll,
	.quiet = fault_quiet,
	.counters = fault_counters,
};
