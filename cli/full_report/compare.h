/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two results side by side. */
#ifndef MIGBENCH_COMPARE_H
#define MIGBENCH_COMPARE_H

#include <jansson.h>

#include "cli/report/report.h"

/* Where environments differ: a row per value. */
struct table *compare_environments(struct report *report, const json_t *results,
				   const json_t *other);
/*
 * A row per rate that both have. Adds the number of rates that only one has to *nr_alone. Rows with
 * the same number of workers match, and those with as many as the machine has CPUs.
 */
struct table *compare_rates(struct report *report, const json_t *results, const json_t *other,
			    unsigned int *nr_alone);

#endif
