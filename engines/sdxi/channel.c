// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "base/clock.h"
#include "base/vault.h"
#include "base/wait.h"
#include "engines/sdxi/channel.h"

/* A slower function, 100 MB/s, counts as hung. */
#define FLOOR_NS_PER_BYTE 10

/* The state of a queued batch, in its scratch. */
struct flight {
	uint64_t first; /* index of its first descriptor */
	uint64_t deadline_ns;
	uint32_t fed;    /* items in the ring so far */
	uint32_t reaped; /* items that have their state */
};
_Static_assert(sizeof(struct flight) <= sizeof(((struct engine_batch *)0)->scratch), "scratch");

static struct flight *batch_flight(struct engine_batch *batch)
{
	return (struct flight *)batch->scratch;
}

static void channel_count(struct sdxi_channel *ch, unsigned int which, uint64_t n)
{
	counts_add(&ch->counts, which, n);
}

/* The item is left to the CPU. */
static void item_fall_back(struct sdxi_channel *ch, struct engine_item *item,
			   enum engine_state state, enum sdxi_detail detail,
			   enum sdxi_reason reason)
{
	item->state = (uint8_t)state;
	item->detail = (uint8_t)detail;
	counts_add_fallback(&ch->counts, SDXI_COUNT_FALLBACK, SDXI_NR_REASONS, reason, 1,
			    item->len_bytes);
}

static struct sdxi_cst_blk *channel_csb(const struct sdxi_channel *ch, uint64_t index)
{
	return &ch->cxt.shared->csbs[sdxi_ring_slot(&ch->cxt.ring, index)];
}

/* The number of free status blocks: those from the oldest descriptor that has not ended are in use.
 */
static uint32_t channel_room(const struct sdxi_channel *ch)
{
	for (struct engine_batch *batch = ch->head; batch; batch = batch->next) {
		const struct flight *flight = batch_flight(batch);

		if (flight->reaped < flight->fed)
			return SDXI_RING_ENTRIES -
			       (uint32_t)(ch->next_index - flight->first - flight->reaped);
	}
	return SDXI_RING_ENTRIES;
}

static void item_put(struct sdxi_channel *ch, const struct engine_item *item, uint64_t index)
{
	struct sdxi_cst_blk *csb = channel_csb(ch, index);
	struct sdxi_desc desc;

	csb->flags = 0;
	sdxi_store(&csb->signal, 1);
	sdxi_build_copy(&desc, (uint64_t)(uintptr_t)item->dst, SDXI_OWN_AKEY,
			(uint64_t)(uintptr_t)item->src, SDXI_OWN_AKEY, item->len_bytes, csb);
	sdxi_ring_put(&ch->cxt.ring, index, &desc);
}

/* Puts items of the batch into the ring. True: all are in. *err: -EBUSY no room, else broken. */
static bool batch_feed(struct sdxi_channel *ch, struct engine_batch *batch, int *err)
{
	struct flight *flight = batch_flight(batch);
	uint32_t nr = MIN(batch->nr_items - flight->fed, channel_room(ch));
	uint64_t index, bytes = 0;

	if (!nr)
		return false;
	*err = sdxi_ring_reserve(&ch->cxt.ring, nr, &index);
	if (*err)
		return false;
	if (!flight->fed)
		flight->first = index;
	for (uint32_t i = 0; i < nr; i++) {
		item_put(ch, &batch->items[flight->fed + i], index + i);
		bytes += batch->items[flight->fed + i].len_bytes;
	}
	flight->fed += nr;
	ch->next_index = index + nr;
	channel_count(ch, SDXI_COUNT_DESCRIPTORS, nr);
	channel_count(ch, SDXI_COUNT_BYTES, bytes);
	return flight->fed == batch->nr_items;
}

static void channel_request_stop(struct sdxi_channel *ch, uint64_t now)
{
	ch->cxt.backend->ops->stop(&ch->cxt);
	ch->phase = SDXI_STOPPING;
	ch->stop_deadline_ns = now + ch->engine->timeout_ns;
}

static void channel_feed(struct sdxi_channel *ch)
{
	uint64_t before = ch->next_index;
	int err = 0;

	while (ch->unfed && batch_feed(ch, ch->unfed, &err))
		ch->unfed = ch->unfed->next;
	if (ch->unfed)
		channel_count(ch, SDXI_COUNT_RING_FULL, 1);
	if (ch->next_index != before) {
		sdxi_ring_doorbell(&ch->cxt.ring, ch->next_index);
		channel_count(ch, SDXI_COUNT_DOORBELLS, 1);
	}
	if (err && err != -EBUSY)
		channel_request_stop(ch, now_ns());
}

static void item_end(struct sdxi_channel *ch, struct engine_item *item, uint32_t flags)
{
	if (flags & SDXI_CST_BLK_ER) {
		item_fall_back(ch, item, ENGINE_ERROR, SDXI_DETAIL_ERROR_BIT, SDXI_REASON_ERROR);
		return;
	}
	channel_count(ch, SDXI_COUNT_SUCCESS, 1);
	if (ch->cxt.backend->ops->copies_nothing) {
		item_fall_back(ch, item, ENGINE_NOT_ATTEMPTED, SDXI_DETAIL_NULL, SDXI_REASON_NULL);
		return;
	}
	item->state = ENGINE_COPIED;
	item->detail = SDXI_DETAIL_NONE;
}

/* Sets the state of items whose descriptor has ended, up to the first that has not. */
static void batch_reap(struct sdxi_channel *ch, struct engine_batch *batch)
{
	struct flight *flight = batch_flight(batch);

	while (flight->reaped < flight->fed) {
		struct sdxi_cst_blk *csb = channel_csb(ch, flight->first + flight->reaped);

		if (sdxi_load(&csb->signal))
			break;
		item_end(ch, &batch->items[flight->reaped],
			 __atomic_load_n(&csb->flags, __ATOMIC_RELAXED));
		flight->reaped++;
	}
}

static uint32_t channel_take_finished(struct sdxi_channel *ch, struct engine_batch **done,
				      uint32_t max)
{
	struct engine_batch **link = &ch->head, *last = NULL;
	uint32_t nr = 0;

	while (*link && nr < max) {
		struct engine_batch *batch = *link;

		batch_reap(ch, batch);
		if (batch_flight(batch)->reaped < batch->nr_items) {
			last = batch;
			link = &batch->next;
			continue;
		}
		*link = batch->next;
		if (ch->tail == batch)
			ch->tail = last;
		ch->nr_queued--;
		ch->outstanding_bytes -= batch->bytes;
		batch->nr_left = 0;
		done[nr++] = batch;
	}
	return nr;
}

static void item_give_up(struct sdxi_channel *ch, struct engine_item *item, uint64_t index,
			 bool fed, bool stopped)
{
	if (!fed || (stopped && index >= sdxi_load(&ch->cxt.shared->sts.read_index)))
		item_fall_back(ch, item, ENGINE_NOT_ATTEMPTED, SDXI_DETAIL_NONE,
			       SDXI_REASON_UNREAD);
	else if (stopped)
		item_fall_back(ch, item, ENGINE_ERROR, SDXI_DETAIL_STOPPED, SDXI_REASON_STOPPED);
	else
		item_fall_back(ch, item, ENGINE_STRAY, SDXI_DETAIL_STRAY, SDXI_REASON_HUNG);
}

/*
 * Ends everything in flight. stopped: the function has confirmed the stop, so it will not execute
 * what it has not read. Otherwise it may still execute everything in the ring.
 */
static void channel_end_all(struct sdxi_channel *ch, bool stopped)
{
	for (struct engine_batch *batch = ch->head; batch; batch = batch->next) {
		struct flight *flight = batch_flight(batch);

		batch_reap(ch, batch);
		while (flight->reaped < batch->nr_items) {
			item_give_up(ch, &batch->items[flight->reaped],
				     flight->first + flight->reaped, flight->reaped < flight->fed,
				     stopped);
			flight->reaped++;
			batch_reap(ch, batch);
		}
		flight->fed = 0;
	}
	ch->unfed = NULL;
}

static void channel_restart(struct sdxi_channel *ch)
{
	if (sdxi_context_restart(&ch->cxt)) {
		ch->phase = SDXI_RETIRED;
		return;
	}
	ch->next_index = 0;
	ch->phase = SDXI_RUNNING;
	channel_count(ch, SDXI_COUNT_RESTARTS, 1);
}

static bool channel_is_overdue(const struct sdxi_channel *ch, uint64_t now)
{
	for (struct engine_batch *batch = ch->head; batch; batch = batch->next)
		if (now > batch_flight(batch)->deadline_ns)
			return true;
	return false;
}

static void channel_watch(struct sdxi_channel *ch, uint64_t now)
{
	uint8_t state = sdxi_context_state(&ch->cxt);

	if (state != SDXI_CXT_RUN) {
		channel_count(ch, SDXI_COUNT_STATE + state, 1);
		channel_count(ch, SDXI_COUNT_STOPPED_BY_FUNCTION, 1);
	} else if (channel_is_overdue(ch, now)) {
		channel_count(ch, SDXI_COUNT_TIMEOUTS, 1);
	} else {
		return;
	}
	channel_request_stop(ch, now);
}

/* Advances the channel through its phases. */
static void channel_step(struct sdxi_channel *ch, uint64_t now)
{
	if (ch->phase == SDXI_RUNNING)
		channel_watch(ch, now);
	if (ch->phase == SDXI_STOPPING && sdxi_context_stopped(&ch->cxt)) {
		channel_end_all(ch, true);
		channel_restart(ch);
	} else if (ch->phase == SDXI_STOPPING && now > ch->stop_deadline_ns) {
		channel_end_all(ch, false);
		ch->phase = SDXI_STRAYED;
	} else if (ch->phase == SDXI_STRAYED && sdxi_context_stopped(&ch->cxt)) {
		channel_restart(ch);
	}
}

enum engine_verdict sdxi_channel_submit(struct engine_channel *channel, struct engine_batch *batch)
{
	struct sdxi_channel *ch = CONTAINER_OF(channel, struct sdxi_channel, channel);
	uint64_t now = now_ns();

	channel_step(ch, now);
	if (ch->phase != SDXI_RUNNING || !batch->nr_items) {
		for (uint32_t i = 0; i < batch->nr_items; i++)
			item_fall_back(ch, &batch->items[i], ENGINE_NOT_ATTEMPTED, SDXI_DETAIL_NONE,
				       SDXI_REASON_REFUSED);
		return ENGINE_DONE;
	}
	if (ch->nr_queued == SDXI_DEPTH) {
		channel_count(ch, SDXI_COUNT_BUSY, 1);
		return ENGINE_BUSY;
	}
	ch->nr_queued++;
	ch->outstanding_bytes += batch->bytes;
	*batch_flight(batch) =
		(struct flight){.deadline_ns = now + ch->engine->timeout_ns +
					       ch->outstanding_bytes * FLOOR_NS_PER_BYTE};
	batch->nr_left = batch->nr_items;
	batch->next = NULL;
	if (ch->tail)
		ch->tail->next = batch;
	else
		ch->head = batch;
	ch->tail = batch;
	if (!ch->unfed)
		ch->unfed = batch;
	channel_count(ch, SDXI_COUNT_BATCHES, 1);
	channel_feed(ch);
	return ENGINE_QUEUED;
}

/* User space gets no interrupt: spin, then yield the CPU. */
#define SPIN_ROUNDS 256

static void poll_relax(unsigned int round)
{
	if (round < SPIN_ROUNDS)
		cpu_relax();
	else
		step_aside(round - SPIN_ROUNDS);
}

uint32_t sdxi_channel_poll(struct engine_channel *channel, uint64_t wait_ns,
			   struct engine_batch **done, uint32_t max)
{
	struct sdxi_channel *ch = CONTAINER_OF(channel, struct sdxi_channel, channel);
	uint64_t start_ns = 0;

	for (unsigned int round = 0; ch->head; round++) {
		uint32_t nr = channel_take_finished(ch, done, max);
		uint64_t now;

		if (ch->unfed && ch->phase == SDXI_RUNNING)
			channel_feed(ch);
		if (nr)
			return nr;
		now = now_ns();
		if (!start_ns)
			start_ns = now;
		channel_step(ch, now);
		if (now - start_ns >= wait_ns)
			return channel_take_finished(ch, done, max);
		poll_relax(round);
	}
	return 0;
}

bool sdxi_channel_quiet(struct engine_channel *channel)
{
	struct sdxi_channel *ch = CONTAINER_OF(channel, struct sdxi_channel, channel);

	channel_step(ch, now_ns());
	return ch->phase != SDXI_STRAYED;
}

int sdxi_channel_open(struct engine *engine, int near_node, struct engine_channel **out)
{
	struct sdxi_channel *ch;
	void *memory;
	int err = vault_alloc(sizeof(*ch), &memory);

	if (err)
		return err;
	ch = memory;
	ch->channel.engine = engine;
	ch->engine = CONTAINER_OF(engine, struct sdxi_engine, engine);
	err = sdxi_context_open(ch->engine->backend, &ch->cxt);
	if (err) {
		vault_free(ch, sizeof(*ch));
		return err;
	}
	counts_open(&ch->engine->counts, &ch->counts, ch->count_values);
	*out = &ch->channel;
	return 0;
}

static void channel_free(struct sdxi_channel *ch)
{
	sdxi_context_free(&ch->cxt);
	vault_free(ch, sizeof(*ch));
}

void sdxi_channel_close(struct engine_channel *channel)
{
	struct sdxi_channel *ch;
	uint64_t deadline_ns;

	if (!channel)
		return;
	ch = CONTAINER_OF(channel, struct sdxi_channel, channel);
	deadline_ns = now_ns() + ch->engine->timeout_ns;
	if (ch->phase != SDXI_RETIRED)
		ch->cxt.backend->ops->stop(&ch->cxt);
	for (unsigned int i = 0; !sdxi_context_stopped(&ch->cxt) && now_ns() < deadline_ns; i++)
		poll_relax(i);
	counts_close(&ch->engine->counts, &ch->counts);
	if (sdxi_context_stopped(&ch->cxt)) {
		ch->cxt.backend->ops->release(&ch->cxt);
		channel_free(ch);
		return;
	}
	/* A hung function may still write to the status blocks: keep them until the engine closes.
	 */
	ch->next_unstopped = atomic_load(&ch->engine->unstopped);
	while (!atomic_compare_exchange_weak(&ch->engine->unstopped, &ch->next_unstopped, ch))
		;
}

void sdxi_channel_free_unstopped(struct sdxi_engine *engine)
{
	struct sdxi_channel *ch = atomic_load(&engine->unstopped);

	while (ch) {
		struct sdxi_channel *next = ch->next_unstopped;

		channel_free(ch);
		ch = next;
	}
}
