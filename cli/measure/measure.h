/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long and how often to measure; and the CPU time and faults that something took. */
#ifndef MIGBENCH_MEASURE_H
#define MIGBENCH_MEASURE_H

#include "cli/args/args.h"

struct round_options {
	uint64_t warmup;      /* rounds thrown away */
	uint64_t min_rounds;  /* of each row */
	uint64_t min_time_ns; /* of each row */
};

#define ROUND_DEFAULTS                                                 \
	{                                                              \
		.warmup = 2, .min_rounds = 7, .min_time_ns = 300000000 \
	}

#define ROUND_OPTS(owner, member)                                                               \
	OPT(UINT, "warmup", owner, member.warmup, "N", "rounds thrown away first; default 2",   \
	    .min = 0, .max = 1000),                                                             \
		OPT(UINT, "min-rounds", owner, member.min_rounds, "N",                          \
		    "rounds of each row at least; default 7", .min = 1, .max = 1000000),        \
		OPT(TIME, "min-time", owner, member.min_time_ns, "TIME",                        \
		    "measure each row for at least this long, like 2s or 500ms; default 300ms", \
		    .min = 0, .max = 86400ULL * 1000000000)

struct rounds {
	const struct round_options *options;
	uint64_t nr_rows; /* that share a round */
	uint64_t nr_done;
	uint64_t start_ns;
};

void rounds_begin(struct rounds *rounds, const struct round_options *options, uint64_t nr_rows);
/* True if another round is due. */
bool rounds_next(struct rounds *rounds);
/* Whether the present one counts. */
bool rounds_counted(const struct rounds *rounds);

/* Of the whole process. */
struct usage {
	double cpu_s;
	uint64_t nr_faults;
};

struct usage usage_now(void);

#endif
