/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How gathered pages are named to the kernel. A huge page of which every small page is asked for is
 * named once: for each further name the kernel would look it up again, to find it busy.
 */
#ifndef FERRY_THP_DEDUP_H
#define FERRY_THP_DEDUP_H

#include "lib/core/context.h"

/* The slice names every page. */
void slice_fill(struct lane *lane);
/* The slice names every small page, and every whole huge page once. */
void slice_fill_deduped(struct lane *lane);
/* The slice names each page that has this status. False: there are none. */
bool slice_fill_by_status(struct lane *lane, int status);

/* Sets the slice's statuses to where its pages are now; STATUS_UNSET if that can't be told. */
void slice_find_nodes(struct lane *lane);

/* What the slice's statuses tell of gathered pages: where they were, or what became of them. */
void slice_note_before(struct lane *lane);
void slice_note_status(struct lane *lane);
/* The latter, but pages of huge pages that may have come apart are STATUS_UNSET. */
void slice_note_status_deduped(struct lane *lane);

#endif
