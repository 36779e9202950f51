/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --stats: the counters of the engine and of the library. */
#ifndef MIGBENCH_COUNTERS_H
#define MIGBENCH_COUNTERS_H

#include "cli/report/report.h"
#include "pageferry.h"

/* Names and totals, in the order in which they were added. Zeroed, it is empty. */
struct counters {
	struct counter {
		char *name;
		uint64_t value;
	} * list;
	unsigned int nr, cap;
	unsigned int next; /* a new name goes here: after the counter that was added to last */
};

/* Call before adding another engine's counters: they follow the order of those already there. */
void counters_restart(struct counters *counters);
/* Adds value to the counter of that name. counters: a struct counters; fits an engine's callback.
 */
void counters_add(void *counters, const char *name, uint64_t value);
/* 0 if no counter has that name. */
uint64_t counters_value(const struct counters *counters, const char *name);
void counters_free(struct counters *counters);

/*
 * Adds the engine's counters to the report: a text table without zeroes, and the JSON member
 * "stats" with them. spec names the engine.
 */
void counters_report(struct report *report, const char *spec, const struct counters *counters);
/* The same for the engine of an open context, and for the library's own counters. NULL: "auto". */
void counters_report_ferry(struct report *report, const char *spec, struct ferry *ferry);

#endif
