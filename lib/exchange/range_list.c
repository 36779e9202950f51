// SPDX-License-Identifier: LGPL-2.1-or-later
#include "lib/exchange/range_list.h"

void range_list_add(struct range_list *list, uintptr_t start, uintptr_t end)
{
	unsigned int nr = atomic_load(&list->nr);

	for (unsigned int i = 0; i < nr; i++) {
		if (start > list->range[i].end || list->range[i].start > end)
			continue;
		list->range[i].start = MIN(start, list->range[i].start);
		list->range[i].end = MAX(end, list->range[i].end);
		return;
	}
	if (nr == ARRAY_SIZE(list->range)) {
		list->full = true;
		return;
	}
	list->range[nr].start = start;
	list->range[nr].end = end;
	atomic_store(&list->nr, nr + 1);
}

bool range_list_overlaps(const struct range_list *list, uintptr_t start, uintptr_t end)
{
	bool found = list->full;

	for (unsigned int i = 0; i < atomic_load(&list->nr) && !found; i++)
		found = start < list->range[i].end && list->range[i].start < end;
	return found;
}

void range_list_clear(struct range_list *list)
{
	list->full = false;
	atomic_store(&list->nr, 0);
}
