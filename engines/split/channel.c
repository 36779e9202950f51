// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A batch on its way: it is shared, the devices get their shares, the base copies its own, and
 * devices are looked at in between, both to learn when they end and because some need it to go on.
 */
#include "engines/split/split.h"

#include "base/clock.h"

#define MIB (1UL << 20)

/* Pieces that a part returns at a time. */
#define POLL_MAX 16
/* How long one of several devices is waited for at a time. */
#define TURN_NS (20 * NS_PER_US)
/* A pause between batches of more than this is no other work of the caller that will recur. */
#define PAUSE_NS NS_PER_MS

static unsigned int channel_base(const struct split_channel *ch)
{
	return split_engine_of(ch)->nr_parts - 1;
}

static void channel_count(struct split_channel *ch, unsigned int part, enum split_count what,
			  uint64_t n)
{
	counts_add(&ch->counts, part * NR_SPLIT_COUNTS + what, n);
}

/* ---- pieces and flights end ---- */

static enum engine_state state_worse(uint8_t a, uint8_t b)
{
	if (a == b)
		return (enum engine_state)a;
	if (a == ENGINE_STRAY || b == ENGINE_STRAY)
		return ENGINE_STRAY;
	if (a == ENGINE_FAULT || b == ENGINE_FAULT)
		return ENGINE_FAULT;
	return ENGINE_ERROR;
}

/* Fragments of an item follow each other. */
static void flight_merge_fragments(struct split_flight *flight)
{
	const struct split_piece *before = NULL;

	for (uint32_t i = 0; i < flight->nr_pieces; i++) {
		const struct split_piece *piece = &flight->pieces[i];
		struct engine_item *item;

		if (!piece->is_fragment)
			continue;
		item = &flight->whole->items[piece->item];
		if (!before || before->item != piece->item) {
			item->state = piece->fragment.state;
			item->detail = piece->fragment.detail;
		} else {
			item->state = (uint8_t)state_worse(item->state, piece->fragment.state);
			if (piece->fragment.state != ENGINE_COPIED)
				item->detail = piece->fragment.detail;
		}
		before = piece;
	}
}

static struct engine_batch *flight_end(struct split_channel *ch, struct split_flight *flight)
{
	struct engine_batch *whole = flight->whole;

	flight_merge_fragments(flight);
	flight->whole = NULL;
	ch->nr_flights--;
	return whole;
}

static void channel_add_done(struct split_channel *ch, struct engine_batch *batch)
{
	batch->next = NULL;
	*ch->done_tail = batch;
	ch->done_tail = &batch->next;
}

/* All items have their states. */
static void piece_end(struct split_channel *ch, struct split_piece *piece)
{
	struct split_result *ended = &ch->ended[piece->part];
	const struct engine_batch *batch = &piece->batch;
	uint64_t copied = 0;

	for (uint32_t i = 0; i < batch->nr_items; i++) {
		if (batch->items[i].state == ENGINE_COPIED)
			copied += batch->items[i].len_bytes;
		ended->stray |= batch->items[i].state == ENGINE_STRAY;
	}
	ended->bytes += batch->bytes;
	ended->copied += copied;
	channel_count(ch, piece->part, SPLIT_COPIED, copied);
	piece->flight->nr_open--;
}

/* ---- what channels tell each other ---- */

static void part_publish(struct split_channel *ch, unsigned int part, bool was_in_use)
{
	struct split_member *member = &split_engine_of(ch)->parts[part];
	const struct split_part *known = &ch->known[part];

	atomic_store_explicit(&member->ns_per_mib, (uint64_t)(known->ns_per_byte * MIB),
			      memory_order_relaxed);
	if (known->in_use == was_in_use)
		return;
	channel_count(ch, part, known->in_use ? SPLIT_BACK : SPLIT_LEFT, 1);
	atomic_store_explicit(&member->in_use, known->in_use, memory_order_relaxed);
	ch->seen_changes[part] = 1 + atomic_fetch_add(&member->nr_changes, 1);
}

/* Another channel may have left the part, or taken it into use. */
static void channel_adopt(struct split_channel *ch)
{
	struct split_engine *engine = split_engine_of(ch);

	for (unsigned int i = 0; i < engine->nr_parts; i++) {
		struct split_member *member = &engine->parts[i];
		struct split_part *known = &ch->known[i];
		unsigned int nr_changes = atomic_load(&member->nr_changes);
		bool in_use = atomic_load_explicit(&member->in_use, memory_order_relaxed);
		uint64_t ns_per_mib =
			atomic_load_explicit(&member->ns_per_mib, memory_order_relaxed);

		if (nr_changes == ch->seen_changes[i])
			continue;
		ch->seen_changes[i] = nr_changes;
		if (in_use == known->in_use || !ns_per_mib)
			continue;
		known->in_use = in_use;
		known->nr_bad = 0;
		known->ns_per_byte = (double)ns_per_mib / MIB;
	}
}

/* ---- parts are looked at ---- */

/* precisely: pieces that have ended did so just now. */
static void part_learn(struct split_channel *ch, unsigned int part, bool precisely, uint64_t now)
{
	struct split_result *ended = &ch->ended[part];
	bool was_in_use = ch->known[part].in_use;

	if (!ended->bytes)
		return;
	ended->now_ns = now;
	ended->after_ns = precisely ? now : ch->last_look_ns[part];
	split_ended(ch->known, split_engine_of(ch)->nr_parts, part, ended);
	*ended = (struct split_result){0};
	part_publish(ch, part, was_in_use);
}

/* Flights that end, apart from the one that submit is still at work on, can be returned by poll. */
static void part_poll(struct split_channel *ch, unsigned int part, uint64_t wait_ns, uint64_t *now,
		      const struct split_flight *submitting)
{
	struct engine_channel *channel = ch->parts[part];
	struct engine_batch *done[POLL_MAX];
	uint64_t start_ns = *now;
	uint32_t nr, nr_all = 0;

	do {
		nr = channel->engine->ops->poll(channel, nr_all ? 0 : wait_ns, done, POLL_MAX);
		for (uint32_t i = 0; i < nr; i++) {
			struct split_piece *piece = done[i]->owner;
			struct split_flight *flight = piece->flight;

			piece_end(ch, piece);
			ch->nr_open[part]--;
			if (!flight->nr_open && flight != submitting)
				channel_add_done(ch, flight_end(ch, flight));
		}
		nr_all += nr;
	} while (nr && ch->nr_open[part]);
	*now = now_ns();
	if (wait_ns)
		ch->known[part].waited_ns += *now - start_ns;
	if (nr_all)
		part_learn(ch, part, wait_ns, *now);
	ch->last_look_ns[part] = *now;
}

static void devices_look(struct split_channel *ch, uint64_t *now,
			 const struct split_flight *submitting)
{
	for (unsigned int i = 0; i < channel_base(ch); i++)
		if (ch->nr_open[i])
			part_poll(ch, i, 0, now, submitting);
}

/* ---- submit ---- */

/* False: the part is busy. */
static bool piece_send(struct split_channel *ch, struct split_piece *piece, uint64_t now)
{
	struct engine_channel *channel = ch->parts[piece->part];
	enum engine_verdict verdict = channel->engine->ops->submit(channel, &piece->batch);

	if (verdict == ENGINE_BUSY) {
		channel_count(ch, piece->part, SPLIT_BUSY, 1);
		return false;
	}
	split_sent(&ch->known[piece->part], now, piece->batch.bytes);
	channel_count(ch, piece->part, SPLIT_BYTES, piece->batch.bytes);
	if (verdict == ENGINE_DONE)
		piece_end(ch, piece);
	else
		ch->nr_open[piece->part]++;
	return true;
}

/* A part that refuses although it has nothing else of ours fails. */
static void part_note_busy(struct split_channel *ch, unsigned int part, uint64_t now)
{
	bool was_in_use = ch->known[part].in_use;

	if (ch->nr_open[part])
		return;
	split_refused(ch->known, channel_base(ch) + 1, part, now);
	part_publish(ch, part, was_in_use);
}

/* False: neither the part nor the base accepts the piece. */
static bool piece_send_or_pass(struct split_channel *ch, struct split_piece *piece, uint64_t *now)
{
	unsigned int base = channel_base(ch), part = piece->part;

	if (piece_send(ch, piece, *now))
		return true;
	part_note_busy(ch, part, *now);
	if (part == base)
		return false;
	piece->part = base;
	if (piece_send(ch, piece, *now))
		return true;
	part_note_busy(ch, base, *now);
	return false;
}

static void piece_decline(struct split_channel *ch, struct split_flight *flight,
			  struct split_piece *piece)
{
	channel_count(ch, piece->part, SPLIT_DECLINED, piece->batch.nr_items);
	for (uint32_t i = 0; i < piece->batch.nr_items; i++) {
		piece->batch.items[i].state = ENGINE_NOT_ATTEMPTED;
		piece->batch.items[i].detail = 0;
	}
	flight->nr_open--;
}

/* False: no part accepts anything, and nothing was touched. */
static bool flight_send(struct split_channel *ch, struct split_flight *flight, uint64_t *now)
{
	flight->nr_open = flight->nr_pieces;
	for (uint32_t i = 0; i < flight->nr_pieces; i++) {
		struct split_piece *piece = &flight->pieces[i];

		if (!piece_send_or_pass(ch, piece, now)) {
			if (!i)
				return false;
			piece_decline(ch, flight, piece);
			continue;
		}
		/* It has ended at once: it was copied in this thread, or not at all. */
		if (ch->ended[piece->part].bytes) {
			*now = now_ns();
			part_learn(ch, piece->part, true, *now);
		}
		if (piece->part == channel_base(ch))
			devices_look(ch, now, flight);
	}
	return true;
}

static void channel_share(struct split_channel *ch, const struct engine_batch *batch, uint64_t now,
			  uint64_t *shares)
{
	unsigned int nr_parts = split_engine_of(ch)->nr_parts;
	struct split_load load = {
		.now_ns = now,
		.bytes = batch->bytes,
		.other_work_ns = batch->more ? 0 : ch->other_work_ns,
		.base_holds = batch->more,
	};

	split_share(ch->known, nr_parts, &load, shares);
	for (unsigned int i = 0; i < nr_parts; i++) {
		if (!shares[i])
			continue;
		channel_count(ch, i, SPLIT_BATCHES, 1);
		if (i + 1 < nr_parts && !ch->known[i].in_use)
			channel_count(ch, i, SPLIT_PROBES, 1);
	}
}

/* The base copies at another rate when it has helpers. */
static void channel_set_alone(struct split_channel *ch, bool alone)
{
	struct split_part *base = &ch->known[channel_base(ch)];

	if (alone == ch->base_alone)
		return;
	ch->base_ns_per_byte[ch->base_alone] = base->ns_per_byte;
	ch->base_alone = alone;
	if (ch->base_ns_per_byte[alone] > 0)
		base->ns_per_byte = ch->base_ns_per_byte[alone];
}

static void channel_note_entry(struct split_channel *ch, uint64_t now)
{
	uint64_t pause_ns = now - ch->exit_ns;

	if (ch->exit_ns && pause_ns < PAUSE_NS)
		ch->other_work_ns = (3 * ch->other_work_ns + pause_ns) / 4;
}

static struct split_flight *channel_get_flight(struct split_channel *ch)
{
	unsigned int i = 0;

	while (ch->flights[i].whole)
		i++;
	ch->nr_flights++;
	return &ch->flights[i];
}

enum engine_verdict split_submit(struct engine_channel *base, struct engine_batch *batch)
{
	struct split_channel *ch = CONTAINER_OF(base, struct split_channel, channel);
	uint64_t shares[SPLIT_PARTS], now;
	struct split_flight *flight;

	if (!batch->nr_items)
		return ENGINE_DONE;
	if (ch->nr_flights == SPLIT_FLIGHTS)
		return ENGINE_BUSY;
	now = now_ns();
	channel_note_entry(ch, now);
	devices_look(ch, &now, NULL);
	channel_adopt(ch);
	channel_set_alone(ch, batch->nr_threads == 1);
	channel_share(ch, batch, now, shares);
	flight = channel_get_flight(ch);
	flight->whole = batch;
	split_cut(flight, shares, channel_base(ch) + 1);
	if (!flight_send(ch, flight, &now)) {
		flight->whole = NULL;
		ch->nr_flights--;
		return ENGINE_BUSY;
	}
	ch->exit_ns = now;
	if (flight->nr_open)
		return ENGINE_QUEUED;
	flight_end(ch, flight);
	return ENGINE_DONE;
}

/* ---- poll ---- */

static uint32_t channel_collect(struct split_channel *ch, struct engine_batch **done, uint32_t max)
{
	uint32_t nr = 0;

	while (nr < max && ch->done) {
		done[nr] = ch->done;
		ch->done = ch->done->next;
		done[nr++]->next = NULL;
	}
	if (!ch->done)
		ch->done_tail = &ch->done;
	return nr;
}

static unsigned int channel_nr_waiting(const struct split_channel *ch)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i <= channel_base(ch); i++)
		nr += ch->nr_open[i] > 0;
	return nr;
}

/* Each part in turn gets a part of the wait. */
static void channel_wait(struct split_channel *ch, uint64_t wait_ns, uint64_t *now)
{
	uint64_t each_ns = channel_nr_waiting(ch) > 1 ? MIN(wait_ns, TURN_NS) : wait_ns;

	for (unsigned int i = 0; i <= channel_base(ch) && !ch->done; i++)
		if (ch->nr_open[i])
			part_poll(ch, i, each_ns, now, NULL);
}

/* What the base has held back it copies now. */
static void base_begin(struct split_channel *ch, uint64_t *now)
{
	unsigned int base = channel_base(ch);

	if (!ch->nr_open[base])
		return;
	if (ch->parts[base]->engine->hold)
		split_held_begins(&ch->known[base], *now);
	part_poll(ch, base, 0, now, NULL);
}

uint32_t split_poll(struct engine_channel *base, uint64_t wait_ns, struct engine_batch **done,
		    uint32_t max)
{
	struct split_channel *ch = CONTAINER_OF(base, struct split_channel, channel);
	uint64_t now, start_ns;
	uint32_t nr;

	if (!ch->nr_flights && !ch->done)
		return 0;
	now = start_ns = now_ns();
	base_begin(ch, &now);
	devices_look(ch, &now, NULL);
	while (!ch->done && ch->nr_flights && now - start_ns < wait_ns)
		channel_wait(ch, wait_ns - (now - start_ns), &now);
	nr = channel_collect(ch, done, max);
	ch->exit_ns = now;
	return nr;
}
