/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of migbench verify. */
#ifndef MIGBENCH_VERIFY_OPTIONS_H
#define MIGBENCH_VERIFY_OPTIONS_H

#include "cli/args/args.h"

#define WRITERS_MAX    16
#define REQUESTERS_MAX 16

struct verify_options {
	struct output_options output;
	struct text_list movers, with;
	struct uint_list folios, chunks;
	const char *engine, *dir;
	uint64_t total_bytes, time_ns, nr_writers, nr_requesters, seed;
	int from, to; /* -1: chosen */
	bool fresh, stats;
};

extern struct verify_options verify_options;
extern const struct opt verify_opts[];

/* What the option table cannot check. 0 or CLI_USAGE. */
int verify_options_check(void);

#endif
