// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>

#include "base/clock.h"
#include "cli/verify/options.h"

struct verify_options verify_options = {
	.movers = {{"exchange", "auto", "kernel"}, 3},
	.with = {{"fork", "munmap", "mprotect", "mremap", "discard", "direct", "vm", "pipe"}, 8},
	.folios = {{4096, 65536, 2097152}, 3},
	.chunks = {{0, 4096, 65536, 524288, 2097152}, 5},
	.total_bytes = 64 << 20,
	.time_ns = 10 * NS_PER_SEC,
	.nr_writers = 3,
	.nr_requesters = 2,
	.seed = 1,
	.from = -1,
	.to = -1,
};

static const char *const mover_words[] = {"exchange", "auto", "kernel", NULL};
static const char *const with_words[] = {"none",    "fork",   "munmap", "mprotect", "mremap",
					 "discard", "direct", "vm",     "pipe",     NULL};

const struct opt verify_opts[] = {
	OPT(TIME, "time", verify_options, time_ns, "TIME",
	    "duration of the whole run, such as 30s or 5m; default 10s", .min = 1,
	    .max = 86400 * NS_PER_SEC),
	OPT(TEXTS, "mover", verify_options, movers, "LIST",
	    "exchange, auto, kernel: movers, chosen at random; default all", .words = mover_words),
	OPT(SIZES, "folio", verify_options, folios, "LIST",
	    "folio sizes, in turn; default 4k,64k,2M", .min = PAGE_BYTES, .max = HUGE_BYTES,
	    .power_of_two = true),
	OPT(SIZES, "chunk", verify_options, chunks, "LIST",
	    "largest chunks of pages in flight, chosen at random, 0 for the library's; default "
	    "0,4k,64k,512k,2M",
	    .min = 0, .max = HUGE_BYTES),
	OPT(SIZE, "total", verify_options, total_bytes, "SIZE",
	    "bytes of the memory that writers share; default 64M", .min = HUGE_BYTES,
	    .max = 16ULL << 30),
	OPT(UINT, "writers", verify_options, nr_writers, "N", "writing threads; default 3",
	    .min = 1, .max = WRITERS_MAX),
	OPT(UINT, "requesters", verify_options, nr_requesters, "N",
	    "threads that request moves of the same pages; default 2", .min = 1,
	    .max = REQUESTERS_MAX),
	OPT(TEXTS, "with", verify_options, with, "LIST",
	    "concurrent operations: fork, munmap, mprotect, mremap, discard (MADV_DONTNEED), "
	    "direct (O_DIRECT), vm (process_vm_readv and writev), pipe (read and write), or none; "
	    "default all",
	    .words = with_words),
	OPT(TEXT, "engine", verify_options, engine, "SPEC",
	    "engine and its parameters, such as fault:every=7; `migbench doctor` lists engines"),
	OPT(FLAG, "stats", verify_options, stats, NULL,
	    "also show the counters of the engine and the library: descriptors, faults, fallbacks, "
	    "statuses"),
	OPT(NODE, "from", verify_options, from, "NODE", "one node; default the first with memory"),
	OPT(NODE, "to", verify_options, to, "NODE", "the other node; default the next"),
	OPT(FLAG, "fresh", verify_options, fresh, NULL, "move to other frames of one node"),
	OPT(TEXT, "dir", verify_options, dir, "DIR",
	    "directory of an unnamed file for O_DIRECT; default /var/tmp"),
	OPT(UINT, "seed", verify_options, seed, "N",
	    "seed of the random choice of requests and pages; default 1"),
	{.name = NULL},
};

int verify_options_check(void)
{
	for (unsigned int i = 0; i < verify_options.chunks.nr; i++) {
		uint64_t chunk = verify_options.chunks.v[i];

		if (chunk && (chunk < PAGE_BYTES || chunk & (chunk - 1)))
			return cli_usage_error("--chunk: %" PRIu64
					       " is neither 0 nor a power of two from 4K",
					       chunk);
	}
	if (verify_options.output.plot)
		return cli_usage_error("--plot: verify has nothing to draw");
	return CLI_OK;
}
