/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --stats: what the engine counted, and what the library's own account says. */
#ifndef MIGBENCH_COUNTERS_H
#define MIGBENCH_COUNTERS_H

#include "cli/report/report.h"
#include "engines/engine.h"
#include "pageferry.h"

/* Names and totals in the order in which they were told. Zeroed, it is empty. */
struct counters {
	struct counter {
		char *name;
		uint64_t value;
	} * list;
	unsigned int nr, cap;
	unsigned int at; /* behind the one that was added to last */
};

/* Adds the engine's counters to those of engines before it. */
void counters_add_engine(struct counters *counters, struct engine *engine);
/* 0 if no counter has that name. */
uint64_t counters_value(const struct counters *counters, const char *name);
void counters_free(struct counters *counters);

/*
 * Two tables for the text, without their zeroes, and the JSON member "stats", with them. spec: of
 * the engine. counters_report_ferry asks the context for its engine's counters and its own.
 */
void counters_report(struct report *report, const char *spec, const struct counters *counters);
void counters_report_ferry(struct report *report, const char *spec, struct ferry *ferry);

#endif
