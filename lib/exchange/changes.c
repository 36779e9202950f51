// SPDX-License-Identifier: LGPL-2.1-or-later
/* A list of ranges. It is short, so whoever looks for an overlap looks at all of it. */
#include "lib/exchange/changes.h"

void changes_note(struct changes *changes, uintptr_t start, uintptr_t end)
{
	futex_lock(&changes->lock);
	if (changes->nr < ARRAY_SIZE(changes->range)) {
		changes->range[changes->nr].start = start;
		changes->range[changes->nr++].end = end;
	} else {
		changes->everywhere = true;
	}
	futex_unlock(&changes->lock);
}

bool changes_overlap(struct changes *changes, uintptr_t start, uintptr_t end)
{
	bool found;

	futex_lock(&changes->lock);
	found = changes->everywhere;
	for (unsigned int i = 0; i < changes->nr && !found; i++)
		found = start < changes->range[i].end && changes->range[i].start < end;
	futex_unlock(&changes->lock);
	return found;
}

void changes_clear(struct changes *changes)
{
	futex_lock(&changes->lock);
	changes->nr = 0;
	changes->everywhere = false;
	futex_unlock(&changes->lock);
}
