// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engines/cpu/grain.h"

/* Larger items hide their latency by themselves. */
#define IN_STEP_MAX_BYTES (8U << 10)

struct grain_at grain_end(const struct engine_batch *batch, struct grain_at at, uint32_t room)
{
	while (room && at.item < batch->nr_items) {
		uint32_t left = batch->items[at.item].len_bytes - at.offset_bytes;

		if (left > room) {
			at.offset_bytes += room;
			break;
		}
		room -= left;
		at.item++;
		at.offset_bytes = 0;
	}
	return at;
}

static bool items_fit_step(const struct engine_item *items)
{
	uint32_t len = items[0].len_bytes;

	for (unsigned int i = 0; i < 4; i++)
		if (items[i].len_bytes != len || (uintptr_t)items[i].dst % CACHELINE)
			return false;
	return len % CACHELINE == 0 && len <= IN_STEP_MAX_BYTES;
}

/* How many items continue where the one before ends, in source and destination. */
static uint32_t items_nr_contiguous(const struct engine_item *items, uint32_t nr_items,
				    size_t *len_bytes)
{
	uint32_t nr = 1;

	*len_bytes = items->len_bytes;
	while (nr < nr_items && items[nr].src == (const char *)items->src + *len_bytes &&
	       items[nr].dst == (char *)items->dst + *len_bytes)
		*len_bytes += items[nr++].len_bytes;
	return nr;
}

void copy_items(const struct copy_kernel *kernel, const struct engine_item *items,
		uint32_t nr_items)
{
	while (nr_items) {
		size_t len;
		uint32_t nr = items_nr_contiguous(items, nr_items, &len);

		if (nr < 4 && kernel->copy4 && nr_items >= 4 && items_fit_step(items)) {
			char *const to[] = {items[0].dst, items[1].dst, items[2].dst, items[3].dst};
			const char *const from[] = {items[0].src, items[1].src, items[2].src,
						    items[3].src};

			kernel->copy4(to, from, items->len_bytes);
			items += 4;
			nr_items -= 4;
		} else {
			kernel->copy(items->dst, items->src, len);
			items += nr;
			nr_items -= nr;
		}
	}
}

uint64_t grain_bytes(const struct engine_item *items, struct grain_at at, struct grain_at end)
{
	uint64_t bytes = 0;

	for (uint32_t i = at.item; i < end.item; i++)
		bytes += items[i].len_bytes;
	return bytes + end.offset_bytes - at.offset_bytes;
}

static void item_copy_part(const struct copy_kernel *kernel, const struct engine_item *item,
			   uint32_t start, uint32_t end)
{
	kernel->copy((char *)item->dst + start, (const char *)item->src + start, end - start);
}

void copy_grain(const struct copy_kernel *kernel, const struct engine_item *items,
		struct grain_at at, struct grain_at end)
{
	if (at.item == end.item) {
		item_copy_part(kernel, &items[at.item], at.offset_bytes, end.offset_bytes);
		return;
	}
	if (at.offset_bytes) {
		const struct engine_item *item = &items[at.item++];

		item_copy_part(kernel, item, at.offset_bytes, item->len_bytes);
	}
	copy_items(kernel, &items[at.item], end.item - at.item);
	if (end.offset_bytes)
		item_copy_part(kernel, &items[end.item], 0, end.offset_bytes);
}
