// SPDX-License-Identifier: LGPL-2.1-or-later
/* Unregisters memory that mremap(2) has moved or made longer while it was registered. */
#include <errno.h>

#include "lib/exchange/exchange.h"
#include "lib/exchange/moved_ranges.h"
#include "lib/exchange/watcher.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/pagemap.h"

void moved_ranges_add(struct moved_ranges *moved, uintptr_t start, size_t len_bytes)
{
	unsigned int nr = atomic_load(&moved->nr);

	if (nr == ARRAY_SIZE(moved->range))
		return;
	moved->range[nr].start = start;
	moved->range[nr].len_bytes = len_bytes;
	atomic_store(&moved->nr, nr + 1);
}

/* The last movable page of [start, end), at most 2 MiB before its end; 0: none. */
static uintptr_t range_last_movable(uintptr_t start, uintptr_t end)
{
	uintptr_t from = MAX(start, end - MIN(end, HUGE_BYTES));
	unsigned int nr = (unsigned int)((end - from) / PAGE_BYTES);
	struct page_kinds kinds;

	if (pagemap_kinds(from, nr, &kinds))
		return 0;
	while (nr && !map_test(&kinds.movable, nr - 1))
		nr--;
	return nr ? from + (nr - 1) * PAGE_BYTES : 0;
}

/*
 * How many bytes mremap(2) has added to the mapping behind end, where a registered range ended.
 * What it adds is registered too. The mapping is ours if EEXIST is the answer to a zero page that
 * is offered to a page that is present, because a mapping has only one userfaultfd.
 */
static size_t range_grown_bytes(const struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	struct mapping mapping;
	uintptr_t page;

	if (mapping_find(end - PAGE_BYTES, &mapping) || mapping.start >= end || mapping.end <= end)
		return 0;
	page = range_last_movable(MAX(start, mapping.start), end);
	if (!page || uffd_zero_page(ferry->uffd, page) != -EEXIST)
		return 0;
	return mapping.end - end;
}

void watcher_note_grown(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	size_t len_bytes = range_grown_bytes(ferry, start, end);

	if (!len_bytes)
		return;
	gate_shut(&ferry->move_gate);
	moved_ranges_add(&ferry->watcher->moved, end, len_bytes);
	gate_open(&ferry->move_gate);
}

void watcher_unregister_moved(struct ferry *ferry)
{
	struct moved_ranges *moved = &ferry->watcher->moved;

	if (!atomic_load(&moved->nr))
		return;
	gate_shut(&ferry->move_gate);
	for (unsigned int i = 0; i < atomic_load(&moved->nr); i++) {
		uintptr_t start = moved->range[i].start;
		size_t len_bytes = moved->range[i].len_bytes;

		len_bytes += range_grown_bytes(ferry, start, start + len_bytes);
		uffd_unregister(ferry->uffd, start, len_bytes);
	}
	atomic_store(&moved->nr, 0);
	gate_open(&ferry->move_gate);
}
