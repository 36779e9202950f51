// SPDX-License-Identifier: LGPL-2.1-or-later
/* Cuts a batch at item borders, and amid large items. */
#include "engines/split/split.h"

/* Smaller items go to one part as a whole. */
#define FRAGMENT_MIN_BYTES (64U << 10)
/*
 * After each piece of the base the devices are looked at. Each is twice as long as the one before,
 * so that each look tells as much. For several threads the first one must be worth waking them.
 */
#define BASE_PIECE_BYTES        (256U << 10)
#define BASE_SHARED_PIECE_BYTES (2U << 20)

/* A place in the batch. offset_bytes is less than the length of the item. */
struct cut {
	uint32_t item;
	uint32_t offset_bytes;
};

/* The place that is about so many bytes further on. */
static struct cut cut_move(const struct engine_batch *batch, struct cut at, uint64_t bytes)
{
	while (bytes && at.item < batch->nr_items) {
		uint32_t len = batch->items[at.item].len_bytes;
		uint32_t left = len - at.offset_bytes;

		if (bytes < left) {
			uint32_t offset = ALIGN_DOWN(at.offset_bytes + (uint32_t)bytes,
						     (uint32_t)FRAGMENT_MIN_BYTES / 4);

			if (len >= 2 * FRAGMENT_MIN_BYTES && offset > at.offset_bytes)
				at.offset_bytes = offset;
			else if (bytes > left / 2)
				at = (struct cut){at.item + 1, 0};
			break;
		}
		bytes -= left;
		at = (struct cut){at.item + 1, 0};
	}
	return at;
}

static struct split_piece *piece_add(struct split_flight *flight, unsigned int part)
{
	struct split_piece *piece = &flight->pieces[flight->nr_pieces++];

	piece->flight = flight;
	piece->part = part;
	piece->is_fragment = false;
	piece->batch = (struct engine_batch){
		.owner = piece,
		.nr_threads = flight->whole->nr_threads,
		.more = flight->whole->more,
		.folio_bytes = flight->whole->folio_bytes,
		.other_node = flight->whole->other_node,
	};
	return piece;
}

static void piece_add_fragment(struct split_flight *flight, unsigned int part, uint32_t item,
			       uint32_t from, uint32_t to)
{
	const struct engine_item *whole = &flight->whole->items[item];
	struct split_piece *piece = piece_add(flight, part);

	piece->is_fragment = true;
	piece->item = item;
	if (!piece->batch.folio_bytes)
		piece->batch.folio_bytes = whole->len_bytes;
	piece->fragment = (struct engine_item){
		.dst = (char *)whole->dst + from,
		.src = (const char *)whole->src + from,
		.len_bytes = to - from,
	};
	piece->batch.items = &piece->fragment;
	piece->batch.nr_items = 1;
	piece->batch.bytes = to - from;
}

static void piece_add_items(struct split_flight *flight, unsigned int part, uint32_t first,
			    uint32_t end)
{
	struct split_piece *piece = piece_add(flight, part);

	piece->batch.items = &flight->whole->items[first];
	piece->batch.nr_items = end - first;
	for (uint32_t i = first; i < end; i++)
		piece->batch.bytes += flight->whole->items[i].len_bytes;
}

/* At most three pieces. */
static void range_cut(struct split_flight *flight, unsigned int part, struct cut from,
		      struct cut to)
{
	const struct engine_item *items = flight->whole->items;

	if (from.item == to.item) {
		if (from.offset_bytes < to.offset_bytes)
			piece_add_fragment(flight, part, from.item, from.offset_bytes,
					   to.offset_bytes);
		return;
	}
	if (from.offset_bytes) {
		piece_add_fragment(flight, part, from.item, from.offset_bytes,
				   items[from.item].len_bytes);
		from.item++;
	}
	if (from.item < to.item)
		piece_add_items(flight, part, from.item, to.item);
	if (to.offset_bytes)
		piece_add_fragment(flight, part, to.item, 0, to.offset_bytes);
}

/* The pieces end between items. What is held back is copied at once. */
static void base_cut(struct split_flight *flight, unsigned int part, struct cut from,
		     struct cut end)
{
	const struct engine_batch *whole = flight->whole;
	uint64_t bytes = whole->nr_threads == 1 ? BASE_PIECE_BYTES : BASE_SHARED_PIECE_BYTES;

	for (unsigned int i = 1; i < SPLIT_BASE_PIECES && !whole->more; i++, bytes *= 2) {
		struct cut to = cut_move(whole, from, bytes);

		if (to.offset_bytes)
			to = (struct cut){to.item + 1, 0};
		if (to.item >= end.item)
			break;
		if (to.item == from.item)
			continue;
		range_cut(flight, part, from, to);
		from = to;
	}
	range_cut(flight, part, from, end);
}

void split_cut(struct split_flight *flight, const uint64_t *bytes, unsigned int nr_parts)
{
	const struct cut end = {flight->whole->nr_items, 0};
	unsigned int base = nr_parts - 1;
	struct cut at = {0};

	flight->nr_pieces = 0;
	for (unsigned int part = 0; part < base; part++) {
		struct cut to = bytes[part] ? cut_move(flight->whole, at, bytes[part]) : at;

		range_cut(flight, part, at, to);
		at = to;
	}
	base_cut(flight, base, at, end);
}
