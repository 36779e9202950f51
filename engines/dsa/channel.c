// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "base/clock.h"
#include "base/vault.h"
#include "copy/kernels.h"
#include "engines/device/sysfs.h"
#include "engines/dsa/dsa.h"

#define MAX_BATCHES 64 /* per channel at a time */
#define MIN_OPS     8
#define MAX_OPS     128

#define MAX_CPU_PERCENT    50 /* by tuning */
#define MIN_ITEMS_TO_SHARE 4

/* Hands out consecutive parts of one mapping; with base NULL it only sums up their sizes. */
struct carve {
	char *base;
	size_t used;
};

static void *carve_part(struct carve *c, size_t bytes)
{
	size_t at = c->used;

	c->used += ALIGN_UP(bytes, (size_t)CACHELINE);
	return c->base ? c->base + at : NULL;
}

static uint32_t engine_descs_per_op(const struct dsa_engine *engine)
{
	uint32_t most = 1;

	for (uint32_t i = 0; i < engine->nr_portals; i++)
		most = MAX(most, engine->portals[i].max_batch);
	if (engine->options.max_batch)
		most = MIN(most, engine->options.max_batch);
	return most;
}

/* ch: the channel at the start of the mapping, or a dummy to compute the size. */
static void channel_lay_out(const struct dsa_engine *engine, struct carve *c,
			    struct dsa_channel *ch)
{
	uint32_t op_descs = engine_descs_per_op(engine);
	uint32_t nr_ops = MAX(MIN(DSA_NR_DESCS / op_descs, (uint32_t)MAX_OPS), (uint32_t)MIN_OPS);

	carve_part(c, sizeof(*ch));
	ch->nr_ops = nr_ops;
	ch->op_descs = op_descs;
	ch->stage = carve_part(c, DSA_STAGE * sizeof(*ch->stage));
	ch->portals = carve_part(c, engine->nr_portals * sizeof(*ch->portals));
	ch->pieces = carve_part(c, DSA_NR_PIECES * sizeof(*ch->pieces));
	ch->free_pieces = carve_part(c, DSA_NR_PIECES * sizeof(uint32_t));
	ch->requeued.index = carve_part(c, DSA_NR_PIECES * sizeof(uint32_t));
	ch->free_ops = carve_part(c, nr_ops * sizeof(uint32_t));
	ch->flying = carve_part(c, nr_ops * sizeof(uint32_t));
	ch->ops = carve_part(c, nr_ops * sizeof(*ch->ops));
	for (uint32_t i = 0; i < nr_ops; i++) {
		struct dsa_op none, *op = c->base ? &ch->ops[i] : &none;

		op->descs = carve_part(c, op_descs * sizeof(*op->descs));
		op->crs = carve_part(c, (op_descs + 1) * sizeof(*op->crs));
		op->pieces = carve_part(c, op_descs * sizeof(*op->pieces));
	}
}

/* Prefers devices in the package of the destination; if none is known there, all are equal. */
static void channel_choose_portals(struct dsa_channel *ch, int near_node)
{
	int package = device_node_package(near_node);
	bool any_near = false;

	ch->nr_portals = ch->engine->nr_portals;
	for (uint32_t i = 0; i < ch->nr_portals; i++) {
		struct dsa_portal_ref *ref = &ch->portals[i];
		const struct dsa_queue *queue;

		ref->portal = &ch->engine->portals[i];
		queue = &ref->portal->queue;
		ref->near = package >= 0 && queue->package == package;
		ref->distance = near_node >= 0 && queue->node == near_node ? 0 : 1;
		any_near |= ref->near;
	}
	for (uint32_t i = 0; i < ch->nr_portals && !any_near; i++)
		ch->portals[i].near = true;
}

int dsa_channel_open(struct engine *base, int near_node, struct engine_channel **out)
{
	struct dsa_engine *engine = CONTAINER_OF(base, struct dsa_engine, engine);
	struct dsa_channel size_only, *ch;
	struct carve c = {0};
	void *memory;
	int err;

	channel_lay_out(engine, &c, &size_only);
	err = vault_alloc(c.used, &memory);
	if (err)
		return err;
	ch = memory;
	ch->engine = engine;
	ch->channel.engine = base;
	ch->map_bytes = c.used;
	c = (struct carve){.base = memory};
	channel_lay_out(engine, &c, ch);
	ch->feeding_tail = &ch->feeding;
	ch->done_tail = &ch->done;
	for (uint32_t i = 0; i < DSA_NR_PIECES; i++)
		ch->free_pieces[ch->nr_free_pieces++] = DSA_NR_PIECES - 1 - i;
	for (uint32_t i = 0; i < ch->nr_ops; i++)
		ch->free_ops[ch->nr_free_ops++] = ch->nr_ops - 1 - i;
	channel_choose_portals(ch, near_node);
	if (engine->options.cpu_percent != DSA_CPU_AUTO)
		ch->cpu_percent = engine->options.cpu_percent;
	counts_open(&engine->counts, &ch->counts, ch->count_values);
	*out = &ch->channel;
	return 0;
}

/* Leaks the memory if a hung device may still write to it. */
void dsa_channel_close(struct engine_channel *base)
{
	struct dsa_channel *ch;
	uint64_t deadline_ns;
	uint32_t nr_rounds = 0;
	bool released;

	if (!base)
		return;
	ch = CONTAINER_OF(base, struct dsa_channel, channel);
	deadline_ns = now_ns() + ch->engine->options.timeout_ns;
	while (!(released = dsa_channel_is_released(ch)) && now_ns() < deadline_ns)
		dsa_relax(ch, &nr_rounds);
	counts_close(&ch->engine->counts, &ch->counts);
	if (released)
		vault_free(ch, ch->map_bytes);
}

static bool channel_has_portal(const struct dsa_channel *ch)
{
	for (uint32_t i = 0; i < ch->nr_portals; i++)
		if (!dsa_portal_is_dead(ch->portals[i].portal))
			return true;
	return false;
}

static uint32_t batch_cpu_share(const struct dsa_channel *ch, const struct engine_batch *batch)
{
	if (batch->nr_items < MIN_ITEMS_TO_SHARE)
		return 0;
	return (uint32_t)((uint64_t)batch->nr_items * ch->cpu_percent / 100);
}

static void batch_copy_by_cpu(struct dsa_channel *ch, struct engine_batch *batch, uint32_t nr_items)
{
	uint64_t bytes = 0;

	for (uint32_t i = batch->nr_items - nr_items; i < batch->nr_items; i++) {
		struct engine_item *item = &batch->items[i];

		ch->engine->kernel->copy(item->dst, item->src, item->len_bytes);
		item->state = ENGINE_COPIED;
		item->detail = 0;
		bytes += item->len_bytes;
	}
	dsa_add(ch, DSA_CTR_CPU_BYTES, bytes);
}

/* Shifts work from the slower to the faster of CPU and device. */
static void channel_tune_cpu_share(struct dsa_channel *ch)
{
	bool device_busy = false;

	for (uint32_t i = 0; i < ch->nr_flying && !device_busy; i++)
		device_busy = !dsa_cr_status(&ch->ops[ch->flying[i]].crs[0]);
	if (device_busy && ch->cpu_percent < MAX_CPU_PERCENT)
		ch->cpu_percent++;
	else if (!device_busy && ch->cpu_percent)
		ch->cpu_percent--;
}

enum engine_verdict dsa_submit(struct engine_channel *base, struct engine_batch *batch)
{
	struct dsa_channel *ch = CONTAINER_OF(base, struct dsa_channel, channel);
	uint32_t nr_cpu;

	if (!batch->nr_items)
		return ENGINE_DONE;
	if (!channel_has_portal(ch)) {
		dsa_batch_declined(ch, batch);
		return ENGINE_DONE;
	}
	if (ch->nr_batches == MAX_BATCHES)
		return ENGINE_BUSY;
	ch->nr_batches++;
	nr_cpu = batch_cpu_share(ch, batch);
	dsa_feed_batch(ch, batch, batch->nr_items - nr_cpu);
	dsa_send_waiting(ch);
	batch_copy_by_cpu(ch, batch, nr_cpu);
	if (ch->engine->options.cpu_percent == DSA_CPU_AUTO)
		channel_tune_cpu_share(ch);
	return ENGINE_QUEUED;
}

static uint32_t channel_collect(struct dsa_channel *ch, struct engine_batch **done, uint32_t max)
{
	uint32_t nr = 0;

	while (nr < max && ch->done) {
		done[nr] = ch->done;
		ch->done = ch->done->next;
		done[nr++]->next = NULL;
		ch->nr_batches--;
	}
	if (!ch->done)
		ch->done_tail = &ch->done;
	return nr;
}

uint32_t dsa_poll(struct engine_channel *base, uint64_t wait_ns, struct engine_batch **done,
		  uint32_t max)
{
	struct dsa_channel *ch = CONTAINER_OF(base, struct dsa_channel, channel);
	uint32_t nr, nr_rounds = 0;
	uint64_t started_ns = 0;

	for (;;) {
		dsa_reap(ch);
		dsa_send_waiting(ch);
		nr = channel_collect(ch, done, max);
		if (nr || !ch->nr_batches || !wait_ns)
			break;
		started_ns = started_ns ? started_ns : now_ns();
		dsa_relax(ch, &nr_rounds);
		if (now_ns() - started_ns >= wait_ns)
			break;
	}
	return nr;
}

bool dsa_quiet(struct engine_channel *base)
{
	struct dsa_channel *ch = CONTAINER_OF(base, struct dsa_channel, channel);
	struct dsa_portal *first = ch->portals[0].portal;

	if (ch->nr_stray && first->ops->idle)
		first->ops->idle(first);
	return dsa_channel_is_quiet(ch);
}
