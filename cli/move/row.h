/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The samples of one row of the results table. */
#ifndef MIGBENCH_MOVE_ROW_H
#define MIGBENCH_MOVE_ROW_H

#include "cli/measure/measure.h"
#include "cli/move/migration.h"

struct move_row {
	enum variant variant;
	unsigned int nr_workers; /* 0: the policy's choice */
	struct samples gb_per_s, cpu_s_per_gib, worker_s_per_gib, faults, frames, first_us;
	struct samples inflight_us; /* per round, the longest time that a page was in flight */
	double predicted_gb_per_s;  /* by the cost model; 0: no prediction */
	double moved_part;          /* of the request, in the worst round */
	uint64_t pages_by_mover[FERRY_NR_MOVERS], pages_by_reason[FERRY_NR_REASONS];
	struct hist *reader, *writer; /* access times in ns; NULL: not measured */
};

void move_row_free(struct move_row *row);
void move_row_add(struct move_row *row, const struct outcome *outcome, size_t asked_bytes);

#endif
