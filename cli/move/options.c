// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/clock.h"
#include "cli/move/options.h"
#include "crew/placement.h"

struct move_options move_options = {
	.folios = {{4096, 16384, 65536, 262144, 1048576, 2097152}, 6},
	.total_bytes = 256 << 20,
	.from = -1,
	.to = -1,
	.rounds = ROUND_DEFAULTS,
};

static const char *const mover_words[] = {"syscall", "call", "kernel", "exchange", "auto", NULL};

static const char *const lanes_words[] = {"auto", "together", "apart", NULL};
static const char *const order_words[] = {"turns", "rows", NULL};

const struct opt move_opts[] = {
	OPT(TEXTS, "mover", move_options, movers, "LIST",
	    "syscall (one plain move_pages, the baseline), call (one ferry_move_pages), or a job "
	    "by "
	    "mover kernel, exchange or auto; default all usable",
	    .words = mover_words),
	OPT(SIZES, "folio", move_options, folios, "LIST",
	    "folio sizes; default 4k,16k,64k,256k,1M,2M", .min = PAGE_BYTES, .max = HUGE_BYTES,
	    .power_of_two = true),
	OPT(UINTS, "workers", move_options, workers, "LIST",
	    "threads that work on a job, 0 for the policy's choice; default 1 and all CPUs, at "
	    "most 16",
	    .min = 0, .max = PLACEMENT_MAX),
	OPT(SIZE, "total", move_options, total_bytes, "SIZE",
	    "bytes moved in each round; default 256M", .min = HUGE_BYTES, .max = 1ULL << 40),
	OPT(NODE, "from", move_options, from, "NODE",
	    "node to start on; default the first with memory"),
	OPT(NODE, "to", move_options, to, "NODE",
	    "node to move to and back from; default the next"),
	OPT(FLAG, "fresh", move_options, fresh, NULL,
	    "move to other frames of one node; the default on a machine with one node; exchange "
	    "only"),
	OPT(FLAG, "scattered", move_options, scattered, NULL,
	    "request every other folio, in random order, as a list of pages"),
	OPT(FLAG, "other-process", move_options, other_process, NULL,
	    "move the memory of a child process, which checks it; needs two nodes; excludes "
	    "exchange "
	    "and --stall"),
	OPT(SIZES, "batch", move_options, batches, "LIST",
	    "also measure requests of these sizes: time to the first page and to the whole request",
	    .min = PAGE_BYTES, .max = 1ULL << 40),
	OPT(UINT, "busy", move_options, nr_busy, "N",
	    "threads of this process that compute while pages move; default 0", .max = 4096),
	OPT(FLAG, "stall", move_options, stall, NULL,
	    "also measure access times of a concurrent reader and writer"),
	OPT(FLAG, "stats", move_options, stats, NULL,
	    "also show the counters of the engine and the library: descriptors, faults, fallbacks, "
	    "statuses"),
	OPT(TEXT, "engine", move_options, engine, "SPEC",
	    "engine and its parameters, or several as cpu+dsa; default auto, all that work "
	    "here; `migbench doctor` lists engines"),
	OPT(SIZE, "chunk", move_options, chunk_bytes, "SIZE",
	    "largest chunk of pages in flight; default the library's", .min = PAGE_BYTES,
	    .max = HUGE_BYTES, .power_of_two = true),
	OPT(TIME, "stall-bound", move_options, stall_bound_ns, "TIME",
	    "target for the longest time that a page is in flight; default the library's, 1ms",
	    .min = NS_PER_US, .max = NS_PER_SEC),
	OPT(TEXT, "lanes", move_options, lanes, "HOW",
	    "how several workers exchange: together (one changes page tables while the others "
	    "sleep, then all copy), apart (each has chunks of its own) or auto; default auto",
	    .words = lanes_words),
	OPT(TEXT, "order", move_options, order, "HOW",
	    "turns: rows of a folio size alternate round by round, so that noise affects all of "
	    "them; rows: one row after another, each checked once at its end, for machines whose "
	    "speed depends on the work before (emulated ones); default turns",
	    .words = order_words),
	OPT(FLAG, "no-limit", move_options, no_limit, NULL, "do not measure the copy limit"),
	OPT(FLAG, "no-check", move_options, no_check, NULL,
	    "do not check node and content of every page after each round"),
	ROUND_OPTS(move_options, rounds),
	{.name = NULL},
};
