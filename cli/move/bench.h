/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The measurement of one folio size: all variants and numbers of workers, round by round. */
#ifndef MIGBENCH_MOVE_BENCH_H
#define MIGBENCH_MOVE_BENCH_H

#include "cli/limit/limit.h"
#include "cli/move/busy.h"
#include "cli/move/prediction.h"
#include "cli/move/variant.h"
#include "cli/report/report.h"
#include "pageferry.h"

/* What one run of migbench move shares among its folio sizes. */
struct move_session {
	struct report report;
	struct table *results, *batches; /* batches: NULL without --batch */
	struct placement *placement;
	struct loops *loops;
	struct ferry *ferry;
	struct busy *busy;
	struct prediction prediction;
	int node[2];
	struct variant_list variants;
	struct uint_list workers;
};

/* Measures and adds rows to the tables. Returns 0, or an exit code after a message. */
int move_bench_folio(struct move_session *session, size_t folio_bytes);

#endif
