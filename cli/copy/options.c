// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "cli/copy/options.h"
#include "engines/spec.h"
#include "crew/placement.h"

struct copy_options copy_options = {
	.kernels = {{"auto"}, 1},
	.engine = "cpu",
	.total_bytes = 256 << 20,
	.rounds = ROUND_DEFAULTS,
};

const struct opt copy_opts[] = {
	OPT(SIZES, "folio", copy_options, folios, "LIST",
	    "folio sizes, the unit of copying; default 4k,16k,64k,256k,1M,2M, with a null device "
	    "4k",
	    .min = PAGE_BYTES, .max = HUGE_BYTES, .power_of_two = true),
	OPT(UINTS, "threads", copy_options, threads, "LIST",
	    "copying threads, including the caller; default 1, 2, 4 … all CPUs", .min = 1,
	    .max = PLACEMENT_MAX),
	OPT(TEXTS, "kernel", copy_options, kernels, "LIST",
	    "copy kernels: names from `migbench doctor`, auto, or all; default auto"),
	OPT(TEXT, "engine", copy_options, engine, "SPEC",
	    "engine and its parameters, or several as cpu+dsa; default cpu; `migbench "
	    "doctor` lists engines"),
	OPT(SIZE, "total", copy_options, total_bytes, "SIZE", "bytes per round; default 256M",
	    .min = HUGE_BYTES, .max = 1ULL << 40),
	OPT(SIZES, "batch", copy_options, batches, "LIST",
	    "bytes submitted to the engine at a time, at least one folio; default 64M, with a null "
	    "device 32 folios",
	    .min = 1, .max = 1ULL << 40),
	OPT(FLAG, "scattered", copy_options, scattered, NULL,
	    "random order of folios in source and destination"),
	OPT(FLAG, "stats", copy_options, stats, NULL,
	    "also show the engine's counters: descriptors, faults, fallbacks, statuses"),
	ROUND_OPTS(copy_options, rounds),
	{.name = NULL},
};

bool copy_uses_cpu_engine(void)
{
	const char *engine = copy_options.engine;

	return !engine[spec_first_len(engine)] &&
	       (!strcmp(engine, "cpu") || !strncmp(engine, "cpu:", 4));
}
