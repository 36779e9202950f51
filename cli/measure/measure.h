/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long to measure, what the process uses, and statistics of the samples. */
#ifndef MIGBENCH_MEASURE_H
#define MIGBENCH_MEASURE_H

#include "cli/args/args.h"

struct round_options {
	uint64_t warmup;      /* uncounted rounds before the others */
	uint64_t min_rounds;  /* per row */
	uint64_t min_time_ns; /* per row */
	uint64_t max_time_ns; /* of all rows that share rounds, warm-up included; 0: no limit */
};

#define ROUND_DEFAULTS                                                 \
	{                                                              \
		.warmup = 2, .min_rounds = 7, .min_time_ns = 300000000 \
	}

#define ROUND_OPTS(owner, member)                                                                  \
	OPT(UINT, "warmup", owner, member.warmup, "N", "uncounted rounds at the start; default 2", \
	    .min = 0, .max = 1000),                                                                \
		OPT(UINT, "min-rounds", owner, member.min_rounds, "N",                             \
		    "minimum number of rounds of each row; default 7", .min = 1, .max = 1000000),  \
		OPT(TIME, "min-time", owner, member.min_time_ns, "TIME",                           \
		    "minimum time to measure each row, such as 2s or 500ms; default 300ms",        \
		    .min = 0, .max = 86400ULL * 1000000000),                                       \
		OPT(TIME, "max-time", owner, member.max_time_ns, "TIME",                           \
		    "end the rounds of a folio size after this time, but not before one counted "  \
		    "round; default no limit",                                                     \
		    .min = 0, .max = 86400ULL * 1000000000)

struct rounds {
	const struct round_options *options;
	uint64_t nr_rows; /* that share a round */
	uint64_t nr_done;
	uint64_t begin_ns; /* of the warm-up */
	uint64_t start_ns; /* of the counted rounds */
};

void rounds_begin(struct rounds *rounds, const struct round_options *options, uint64_t nr_rows);
/* True if another round is due. */
bool rounds_next(struct rounds *rounds);
/* Does the current round count, or is it a warm-up? */
bool rounds_counted(const struct rounds *rounds);

/* Of the whole process. */
struct usage {
	double cpu_s;
	uint64_t nr_faults;
};

struct usage usage_now(void);

/* Samples, summarised by median and median absolute deviation: outliers do not move them. */
struct samples {
	double *v;
	unsigned int nr;
	unsigned int cap;
};

void samples_add(struct samples *samples, double value);
void samples_free(struct samples *samples);

/* All are 0 without samples. */
double samples_median(const struct samples *samples);
double samples_mad(const struct samples *samples);
double samples_max(const struct samples *samples);

/*
 * A log-linear histogram of 64-bit values: exact below 128, within 1/128 above. hist_add() does not
 * allocate, so it may run between two accesses to memory that is being moved.
 */
#define HIST_SUB_BITS   7
#define HIST_NR_BUCKETS ((64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t nr;
	uint64_t max;
	uint64_t buckets[HIST_NR_BUCKETS];
};

void hist_add(struct hist *hist, uint64_t value);
void hist_merge(struct hist *into, const struct hist *from);

/*
 * The smallest recorded value that at least this part (0 … 1) of all values does not exceed,
 * rounded up within its bucket, never above the maximum. 0 if there are none.
 */
uint64_t hist_quantile(const struct hist *hist, double part);

#endif
