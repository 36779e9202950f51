/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel mover: a lane gathers pages and hands them to move_pages(2) in slices. Pages that the
 * exchange mover leaves take the same way.
 */
#ifndef FERRY_KERNEL_MOVER_H
#define FERRY_KERNEL_MOVER_H

#include "lib/core/job.h"

/* Gathers a page. */
void fallback_add(struct lane *lane, uint64_t position, uintptr_t page, int node,
		  enum ferry_reason reason);
/* Gathers a unit's pages. */
void fallback_add_unit(struct lane *lane, const struct unit *unit);
/* Moves the gathered pages. Nothing of this lane may be in flight. */
void fallback_move(struct lane *lane);

#endif
