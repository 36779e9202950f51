/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* migbench copy: what its files share. */
#ifndef MIGBENCH_COPY_H
#define MIGBENCH_COPY_H

#include "cli/counters/counters.h"
#include "cli/copy/engine_run.h"
#include "cli/limit/limit.h"
#include "cli/measure/measure.h"
#include "cli/plot/plot.h"
#include "cli/report/report.h"

struct copy_options {
	struct output_options output;
	struct uint_list folios, threads, batches; /* empty: not given */
	struct text_list kernels;
	const char *engine;
	uint64_t total_bytes;
	bool scattered, stats;
	struct round_options rounds;
};

extern struct copy_options copy_options;

/* One row: an engine, opened for a number of threads and a kernel. */
struct copy_config {
	const char *kernel; /* NULL: the engine's choice */
	unsigned int nr_threads;
	size_t batch_bytes;
	struct engine_run run;
	struct samples gb_per_s, cpu_s_per_gib;
	long nr_left;
};

struct copy_bench {
	struct report report;
	struct table *results;
	struct plot plot;
	struct placement *placement;
	struct loops *loops;
	struct uint_list threads, batches;
	struct text_list kernels;
	/* for the folio size at hand */
	struct area src, dst;
	struct limit limit;
	struct engine_item *items;
	uint32_t nr_items;
	struct copy_config *configs;
	unsigned int nr_configs;
	struct samples loop_gb_per_s; /* one plain loop over the same items */
	struct counters counters;     /* of the engines of all rows */
	bool failed;
};

/* Kernels and threads are the CPU engine's parameters; others have their own. */
bool copy_by_cpu(void);

/* 0 or an exit code, and said why. On failure the run is as zeroed. */
int copy_open_engine(struct copy_bench *bench, struct engine_run *run, const char *spec,
		     unsigned int nr_threads);
/* Source, destination and items of this folio size. 0 or an exit code. Closed either way. */
int copy_open_folio(struct copy_bench *bench, size_t folio_bytes);
void copy_close_folio(struct copy_bench *bench);

/* copy_path.c: with a null device, what the way to it costs. 0 or an exit code. */
int copy_path_find(struct copy_bench *bench, bool *is_null);
int copy_path(struct copy_bench *bench);

/* copy_table.c */
struct table *copy_table(struct report *report);
void copy_table_add(struct copy_bench *bench, const struct copy_config *config);
double copy_table_best_limit(const struct table *table);

#endif
