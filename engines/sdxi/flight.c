// SPDX-License-Identifier: LGPL-2.1-or-later
/* Batches in flight: their items on the ring, and the states of the items at the end. */
#include <errno.h>

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

/* The number of free status blocks: in use are those from the oldest descriptor that has not ended.
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
	sdxi_count(ch, SDXI_COUNT_DESCRIPTORS, nr);
	sdxi_count(ch, SDXI_COUNT_BYTES, bytes);
	return flight->fed == batch->nr_items;
}

int sdxi_flights_feed(struct sdxi_channel *ch)
{
	uint64_t before = ch->next_index;
	int err = 0;

	while (ch->unfed && batch_feed(ch, ch->unfed, &err))
		ch->unfed = ch->unfed->next;
	if (ch->unfed)
		sdxi_count(ch, SDXI_COUNT_RING_FULL, 1);
	if (ch->next_index != before) {
		sdxi_ring_doorbell(&ch->cxt.ring, ch->next_index);
		sdxi_count(ch, SDXI_COUNT_DOORBELLS, 1);
	}
	return err == -EBUSY ? 0 : err;
}

static void item_end(struct sdxi_channel *ch, struct engine_item *item, uint32_t flags)
{
	if (flags & SDXI_CST_BLK_ER) {
		item_fall_back(ch, item, ENGINE_ERROR, SDXI_DETAIL_ERROR_BIT, SDXI_REASON_ERROR);
		return;
	}
	sdxi_count(ch, SDXI_COUNT_SUCCESS, 1);
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

uint32_t sdxi_flights_take(struct sdxi_channel *ch, struct engine_batch **done, uint32_t max)
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

void sdxi_flights_end(struct sdxi_channel *ch, bool stopped)
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

bool sdxi_flights_are_overdue(const struct sdxi_channel *ch, uint64_t now)
{
	for (struct engine_batch *batch = ch->head; batch; batch = batch->next)
		if (now > batch_flight(batch)->deadline_ns)
			return true;
	return false;
}

void sdxi_flights_add(struct sdxi_channel *ch, struct engine_batch *batch, uint64_t now)
{
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
	sdxi_count(ch, SDXI_COUNT_BATCHES, 1);
}

void sdxi_flights_decline(struct sdxi_channel *ch, struct engine_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr_items; i++)
		item_fall_back(ch, &batch->items[i], ENGINE_NOT_ATTEMPTED, SDXI_DETAIL_NONE,
			       SDXI_REASON_REFUSED);
}
