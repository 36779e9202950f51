/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of results, and the plot of its rows. */
#ifndef MIGBENCH_MOVE_TABLE_H
#define MIGBENCH_MOVE_TABLE_H

#include "cli/limit/limit.h"
#include "cli/move/row.h"
#include "cli/plot/plot.h"

struct table *move_table(struct report *report);
/* limit: NULL if not measured. kernel_gb_per_s: the rate of VARIANT_SYSCALL, 0 if unknown. */
void move_table_add(struct table *table, const struct subject *subject, const struct move_row *row,
		    const struct limit_candidate *limit, double kernel_gb_per_s);
double move_table_best_limit(const struct table *table);
void move_table_draw(const struct table *table, struct plot *plot);

#endif
