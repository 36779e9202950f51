/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of migbench copy. */
#ifndef MIGBENCH_COPY_OPTIONS_H
#define MIGBENCH_COPY_OPTIONS_H

#include "cli/args/args.h"
#include "cli/measure/measure.h"

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
extern const struct opt copy_opts[];

/* Kernels and threads are parameters of the cpu engine only. */
bool copy_uses_cpu_engine(void);

#endif
