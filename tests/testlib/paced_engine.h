/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An engine whose rate and failures a program sets while it runs. One that works by itself, as a
 * device does, ends a batch when its time has come; the other copies in submit. Time is now_ns(),
 * and paced_wait() lets it pass: that of a test moves its own clock.
 */
#ifndef FERRY_TEST_PACED_ENGINE_H
#define FERRY_TEST_PACED_ENGINE_H

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engines/engine.h"

enum paced_fault {
	PACED_WORKS,
	PACED_REFUSES, /* BUSY */
	PACED_FAILS,   /* ENGINE_ERROR, the destination overwritten */
	PACED_LEAVES,  /* ENGINE_NOT_ATTEMPTED */
	PACED_HANGS,   /* ENGINE_STRAY after PACED_TIMEOUT_NS; written when it works again */
};

#define PACED_TIMEOUT_NS (100 * NS_PER_MS)
#define PACED_QUEUE      256

struct paced_channel {
	struct engine_channel channel;
	uint64_t busy_until_ns;
	struct engine_batch *queue[PACED_QUEUE]; /* scratch[0]: when it ends */
	uint32_t nr;
	struct engine_item strays[PACED_QUEUE];
	uint32_t nr_strays;
};

struct paced_engine {
	struct engine engine;
	double ns_per_byte;
	double delay_ns; /* of each batch, besides */
	enum paced_fault fault;
	bool by_itself;
	bool time_only; /* copies nothing, and says that it has */
	uint64_t bytes; /* given to it */
	uint32_t nr_channels;
};

/* The program's. */
static void paced_wait(uint64_t ns);

static struct paced_engine *paced_of(const struct paced_channel *ch)
{
	return CONTAINER_OF(ch->channel.engine, struct paced_engine, engine);
}

static void paced_end_item(struct paced_channel *ch, struct engine_item *item)
{
	struct paced_engine *self = paced_of(ch);

	item->detail = 0;
	switch (self->fault) {
	case PACED_FAILS:
		memset(item->dst, 0xee, item->len_bytes);
		item->state = ENGINE_ERROR;
		break;
	case PACED_LEAVES:
		item->state = ENGINE_NOT_ATTEMPTED;
		break;
	case PACED_HANGS:
		item->state = ch->nr_strays < PACED_QUEUE ? ENGINE_STRAY : ENGINE_NOT_ATTEMPTED;
		if (item->state == ENGINE_STRAY)
			ch->strays[ch->nr_strays++] = *item;
		break;
	default:
		if (!self->time_only)
			memcpy(item->dst, item->src, item->len_bytes);
		item->state = ENGINE_COPIED;
	}
}

static void paced_end(struct paced_channel *ch, struct engine_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr_items; i++)
		paced_end_item(ch, &batch->items[i]);
}

static uint64_t paced_batch_ns(const struct paced_engine *self, const struct engine_batch *batch)
{
	if (self->fault == PACED_HANGS)
		return PACED_TIMEOUT_NS;
	return (uint64_t)(self->delay_ns + (double)batch->bytes * self->ns_per_byte);
}

static enum engine_verdict paced_submit(struct engine_channel *base, struct engine_batch *batch)
{
	struct paced_channel *ch = CONTAINER_OF(base, struct paced_channel, channel);
	struct paced_engine *self = paced_of(ch);
	uint64_t now = now_ns();

	if (self->fault == PACED_REFUSES || ch->nr == PACED_QUEUE)
		return ENGINE_BUSY;
	self->bytes += batch->bytes;
	if (!self->by_itself) {
		paced_wait(paced_batch_ns(self, batch));
		paced_end(ch, batch);
		return ENGINE_DONE;
	}
	ch->busy_until_ns = MAX(ch->busy_until_ns, now) + paced_batch_ns(self, batch);
	batch->scratch[0] = ch->busy_until_ns;
	ch->queue[ch->nr++] = batch;
	return ENGINE_QUEUED;
}

static uint32_t paced_poll(struct engine_channel *base, uint64_t wait_ns,
			   struct engine_batch **done, uint32_t max)
{
	struct paced_channel *ch = CONTAINER_OF(base, struct paced_channel, channel);
	uint64_t now = now_ns();
	uint32_t nr = 0, kept = 0;

	if (ch->nr && ch->queue[0]->scratch[0] > now && wait_ns) {
		paced_wait(MIN(wait_ns, ch->queue[0]->scratch[0] - now));
		now = now_ns();
	}
	for (uint32_t i = 0; i < ch->nr; i++) {
		if (nr < max && ch->queue[i]->scratch[0] <= now) {
			done[nr++] = ch->queue[i];
			paced_end(ch, ch->queue[i]);
		} else {
			ch->queue[kept++] = ch->queue[i];
		}
	}
	ch->nr = kept;
	return nr;
}

static bool paced_quiet(struct engine_channel *base)
{
	struct paced_channel *ch = CONTAINER_OF(base, struct paced_channel, channel);

	if (paced_of(ch)->fault == PACED_HANGS)
		return !ch->nr_strays;
	for (; ch->nr_strays; ch->nr_strays--) {
		const struct engine_item *item = &ch->strays[ch->nr_strays - 1];

		memset(item->dst, 0xdd, item->len_bytes);
	}
	return true;
}

static int paced_channel_open(struct engine *engine, int near_node __maybe_unused,
			      struct engine_channel **out)
{
	struct paced_channel *ch = calloc(1, sizeof(*ch));

	if (!ch)
		return -1;
	CONTAINER_OF(engine, struct paced_engine, engine)->nr_channels++;
	ch->channel.engine = engine;
	*out = &ch->channel;
	return 0;
}

static void paced_channel_close(struct engine_channel *base)
{
	struct paced_channel *ch = CONTAINER_OF(base, struct paced_channel, channel);

	paced_of(ch)->nr_channels--;
	free(ch);
}

static void paced_close(struct engine *engine)
{
	free(CONTAINER_OF(engine, struct paced_engine, engine));
}

static const struct engine_ops paced_ops = {
	.abi = ENGINE_ABI,
	.size = sizeof(struct engine_ops),
	.name = "paced",
	.summary = "for tests and measurements",
	.priority = -1,
	.close = paced_close,
	.channel_open = paced_channel_open,
	.channel_close = paced_channel_close,
	.submit = paced_submit,
	.poll = paced_poll,
	.quiet = paced_quiet,
};

static struct paced_engine *paced_new(bool by_itself, double ns_per_byte)
{
	struct paced_engine *self = calloc(1, sizeof(*self));

	if (!self)
		abort();
	self->engine =
		(struct engine){.ops = &paced_ops, .depth = by_itself ? 4 : 1, .batch_items = 32};
	self->by_itself = by_itself;
	self->ns_per_byte = ns_per_byte;
	return self;
}

#endif
