/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A lane's parts: slices (kernel mover), chunks (exchange mover), and its manners. */
#ifndef FERRY_LANE_H
#define FERRY_LANE_H

#include "lib/job.h"

/* slices.c: statuses, and the kernel mover. */

/* Counts pages as settled; the first of a job is noted with its time. */
void note_done(struct lane *lane, unsigned int nr_pages);
void settle(struct lane *lane, uint64_t position, int status);
void settle_run(struct lane *lane, uint64_t position, unsigned int nr_pages, int status);
/* Gathers a page for the kernel mover. */
void leave_page(struct lane *lane, uint64_t position, uintptr_t page, int node,
		enum ferry_reason reason);
/* Gathers a unit's pages. */
void gather_slice(struct lane *lane, const struct unit *unit);
/* Sends the gathered pages through the kernel mover. Nothing of this lane may be out. */
void serve_slice(struct lane *lane);

/* chunks.c: the exchange mover. */

void serve_chunk(struct lane *lane, const struct unit *unit);
/* Brings everything of this lane in, and serves what has been gathered. */
void drain(struct lane *lane);
/* Frames that a hung device held are frames again once its channel is quiet. */
void release_strays(struct lane *lane);

/* breathe.c: where CPUs are short. */

long times_preempted(void);
/* The lane begins: what was before does not count. */
void breathe_in(struct lane *lane);
/* Before a take-out: see to it that this lane will keep its CPU for a while. */
void breathe(struct lane *lane);

#endif
