/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel mover: a lane gathers pages in its fallback and moves them with move_pages(2) in
 * slices. Pages that the exchange mover could not move go the same way.
 */
#ifndef FERRY_KERNEL_MOVER_H
#define FERRY_KERNEL_MOVER_H

#include "lib/core/job.h"

/* Gathers a page. reason: why the exchange mover does not move it. */
void fallback_add(struct lane *lane, uint64_t position, uintptr_t page, int node,
		  enum ferry_reason reason);
/* Gathers the pages of a unit. */
void fallback_add_unit(struct lane *lane, const struct unit *unit);
/* Moves and settles the gathered pages. Nothing of this lane may be in flight. */
void fallback_move(struct lane *lane);

#endif
