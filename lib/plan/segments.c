// SPDX-License-Identifier: LGPL-2.1-or-later
/* A growing array of segments, in vault memory. */
#include <string.h>

#include "base/vault.h"
#include "lib/plan/segments.h"

static int segments_grow(struct segments *segments)
{
	size_t room = segments->room ? 2 * segments->room : 4;
	void *bigger;
	int err = vault_alloc(room * sizeof(struct segment), &bigger);

	if (err)
		return err;
	if (segments->nr)
		memcpy(bigger, segments->at, segments->nr * sizeof(struct segment));
	vault_free(segments->at, segments->room * sizeof(struct segment));
	segments->at = bigger;
	segments->room = room;
	return 0;
}

/* Consecutive pages that are not contiguous become one segment if their reason is the same. */
static bool segments_extends_last(const struct segments *segments, const struct segment *segment)
{
	const struct segment *last = segments->nr ? &segments->at[segments->nr - 1] : NULL;

	return last && !last->contiguous && !segment->contiguous &&
	       last->reason == segment->reason &&
	       last->first_position + last->nr_pages == segment->first_position;
}

int segments_add(struct segments *segments, const struct segment *segment)
{
	if (segments_extends_last(segments, segment)) {
		segments->at[segments->nr - 1].nr_pages += segment->nr_pages;
		return 0;
	}
	if (segments->nr == segments->room) {
		int err = segments_grow(segments);

		if (err)
			return err;
	}
	segments->at[segments->nr++] = *segment;
	return 0;
}
