/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of migbench move. */
#ifndef MIGBENCH_MOVE_OPTIONS_H
#define MIGBENCH_MOVE_OPTIONS_H

#include "cli/args/args.h"
#include "cli/measure/measure.h"

struct move_options {
	struct output_options output;
	struct text_list movers;
	struct uint_list folios, workers, batches;
	const char *engine;
	const char *lanes;
	const char *order;
	uint64_t total_bytes, chunk_bytes, stall_bound_ns, nr_busy;
	int from, to; /* -1: chosen */
	bool fresh, scattered, other_process, stall, stats, no_limit, no_check;
	struct round_options rounds;
};

extern struct move_options move_options;
extern const struct opt move_opts[];

#endif
