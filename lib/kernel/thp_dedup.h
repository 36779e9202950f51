/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fills a lane's slice from its fallback, and takes the results back.
 *
 * If the fallback has all small pages of a huge page, the slice may have one entry for them. For
 * each further address the kernel would look up the huge page again, only to find it busy.
 */
#ifndef FERRY_THP_DEDUP_H
#define FERRY_THP_DEDUP_H

#include "lib/core/context.h"

/* One entry for every page. */
void slice_fill(struct lane *lane);
/* One entry for every whole huge page, and for every other page. */
void slice_fill_deduped(struct lane *lane);
/* One entry for each page that has this status. False: there is none. */
bool slice_fill_by_status(struct lane *lane, int status);

/* As slice_query(), but faster where page frames tell the node. */
void slice_find_nodes(struct lane *lane);

/* Copies the statuses of the slice to the fallback, as `before` or as `status`. */
void slice_note_before(struct lane *lane);
void slice_note_status(struct lane *lane);
/* As slice_note_status(), but pages of huge pages that may have been split get STATUS_UNSET. */
void slice_note_status_deduped(struct lane *lane);

#endif
