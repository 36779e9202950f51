/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The report of a run: a row per folio size, and the verdict. */
#ifndef MIGBENCH_VERIFY_SUMMARY_H
#define MIGBENCH_VERIFY_SUMMARY_H

#include "cli/verify/run.h"

/* Sums over the phases of one folio size. */
struct folio_sum {
	enum folio_kind kind;
	double seconds;
	uint64_t tally[NR_TALLIES];
};

/* sums: one per entry of --folio. Writes the report and returns the program's exit code. */
int verify_summarize(struct verify *verify, const struct folio_sum *sums);

#endif
