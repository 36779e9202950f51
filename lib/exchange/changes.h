/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ranges of registered memory in which the program has unmapped something since the first window
 * was registered. It may have mapped other memory there, which is not registered, or registered
 * with a userfaultfd of the program's own.
 */
#ifndef FERRY_CHANGES_H
#define FERRY_CHANGES_H

#include "base/futex.h"
#include "lib/exchange/range_list.h"

struct changes {
	struct futex_lock lock;
	struct range_list ranges;
};

static inline void changes_note(struct changes *changes, uintptr_t start, uintptr_t end)
{
	futex_lock(&changes->lock);
	range_list_add(&changes->ranges, start, end);
	futex_unlock(&changes->lock);
}

static inline bool changes_overlap(struct changes *changes, uintptr_t start, uintptr_t end)
{
	bool overlap;

	futex_lock(&changes->lock);
	overlap = range_list_overlaps(&changes->ranges, start, end);
	futex_unlock(&changes->lock);
	return overlap;
}

/* No window is open. */
static inline void changes_clear(struct changes *changes)
{
	futex_lock(&changes->lock);
	range_list_clear(&changes->ranges);
	futex_unlock(&changes->lock);
}

#endif
