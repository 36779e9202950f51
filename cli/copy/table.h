/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of rates, and the bars of the plot. */
#ifndef MIGBENCH_COPY_TABLE_H
#define MIGBENCH_COPY_TABLE_H

#include "cli/limit/limit.h"
#include "cli/plot/plot.h"
#include "cli/report/report.h"

/* The samples of an engine with one kernel, number of threads and batch size. */
struct copy_row {
	const char *kernel; /* NULL: the engine's choice */
	unsigned int nr_threads;
	size_t batch_bytes;
	struct samples gb_per_s, cpu_s_per_gib;
	long nr_left; /* to the CPU, in the worst round */
};

/* What the rows of one folio size are compared with. */
struct copy_reference {
	const struct area *area;
	const struct limit_candidate *limit;
	double loop_gb_per_s; /* of one plain loop over the same items */
};

struct table *copy_table(struct report *report);
void copy_table_add(struct table *table, const struct copy_row *row,
		    const struct copy_reference *reference);
double copy_table_best_limit(const struct table *table);
void copy_table_draw(const struct table *table, struct plot *plot);

#endif
