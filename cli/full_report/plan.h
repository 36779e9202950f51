/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which commands a report runs, and how long each may take. */
#ifndef MIGBENCH_PLAN_H
#define MIGBENCH_PLAN_H

#include "cli/args/parse.h"

#define PLAN_STEPS_MAX (2 + 2 * LIST_MAX)

struct plan_step {
	const char *command;
	uint64_t folio_bytes; /* 0: the command takes none */
};

struct plan {
	struct plan_step steps[PLAN_STEPS_MAX];
	unsigned int nr_steps;
	uint64_t total_bytes; /* per round of a measuring step */
	uint64_t deadline_ns; /* for measuring; set when that begins */
	bool row_by_row;      /* for emulated machines, whose speed depends on the work before */
};

/* The machine first, then each folio size in the order given: if time runs out, the last are
 * missing. */
void plan_make(struct plan *plan, const struct uint_list *folios, uint64_t total_bytes,
	       bool row_by_row);
/*
 * The time for the rounds of the next step, if nr_left steps share what is left. The rest of its
 * share is for what is not rounds: mapping memory, starting threads, checking.
 */
uint64_t plan_rounds_ns(uint64_t left_ns, unsigned int nr_left);
/* When the next step is ended: so late that it seldom is, so early that the others still run. */
uint64_t plan_limit_ns(uint64_t left_ns, unsigned int nr_left);
/* Less to measure per round, after a step was ended. False: it is the least already. */
bool plan_shrink(struct plan *plan);
/* The time for measuring out of all of it: the rest draws plots and writes files. */
uint64_t plan_measuring_ns(uint64_t time_ns);

#endif
