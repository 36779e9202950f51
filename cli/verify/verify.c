// SPDX-License-Identifier: LGPL-2.1-or-later
/* migbench verify: does any byte or update get lost while pages move? */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/counters/counters.h"
#include "cli/machine/machine.h"
#include "cli/report/report.h"
#include "cli/verify/internal.h"
#include "crew/placement.h"

/* Folio sizes take turns, this long each, so that a short run has seen them all. */
#define TURN_NS (10 * NS_PER_SEC)

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

static const struct opt opts[] = {
	OPT(TIME, "time", verify_options, time_ns, "TIME",
	    "how long to go on, in all, like 30s or 5m; default 10s", .min = 1,
	    .max = 86400 * NS_PER_SEC),
	OPT(TEXTS, "mover", verify_options, movers, "LIST",
	    "of exchange, auto and kernel, picked at random; default all", .words = mover_words),
	OPT(SIZES, "folio", verify_options, folios, "LIST",
	    "folio sizes, one after another; default 4k,64k,2M", .min = PAGE_BYTES,
	    .max = HUGE_BYTES, .power_of_two = true),
	OPT(SIZES, "chunk", verify_options, chunks, "LIST",
	    "largest pieces that are out at a time, picked at random, 0 the library's; default "
	    "0,4k,64k,512k,2M",
	    .min = 0, .max = HUGE_BYTES),
	OPT(SIZE, "total", verify_options, total_bytes, "SIZE",
	    "bytes that writers write to; default 64M", .min = HUGE_BYTES, .max = 16ULL << 30),
	OPT(UINT, "writers", verify_options, nr_writers, "N", "writing threads; default 3",
	    .min = 1, .max = WRITERS_MAX),
	OPT(UINT, "requesters", verify_options, nr_requesters, "N",
	    "threads that ask for moves of the same pages; default 2", .min = 1,
	    .max = REQUESTERS_MAX),
	OPT(TEXTS, "with", verify_options, with, "LIST",
	    "what else goes on: fork, munmap, mprotect, mremap, discard (MADV_DONTNEED), direct "
	    "(O_DIRECT), vm (process_vm_readv and writev), pipe (read and write), or none; default "
	    "all",
	    .words = with_words),
	OPT(TEXT, "engine", verify_options, engine, "SPEC",
	    "engine and its parameters, such as fault:every=7; `migbench doctor` lists them"),
	OPT(FLAG, "stats", verify_options, stats, NULL,
	    "also show what the engine and the library counted: descriptors, faults, fallbacks, "
	    "statuses"),
	OPT(NODE, "from", verify_options, from, "NODE", "one node; default the first"),
	OPT(NODE, "to", verify_options, to, "NODE", "the other node; default the next"),
	OPT(FLAG, "fresh", verify_options, fresh, NULL,
	    "stay on one node and move into other frames of it"),
	OPT(TEXT, "dir", verify_options, dir, "DIR",
	    "where to put an unnamed file for O_DIRECT; default /var/tmp"),
	OPT(UINT, "seed", verify_options, seed, "N",
	    "makes the choice of requests and pages repeatable; default 1"),
	{.name = NULL},
};

enum { COL_FOLIO, COL_FOLIOS, COL_TIME, COL_TALLY };

static const struct column columns[] = {
	[COL_FOLIO] = {"folio_bytes", "FOLIO", COLUMN_BYTES, 0, false},
	[COL_FOLIOS] = {"folios", "MADE OF", COLUMN_TEXT, 0, false},
	[COL_TIME] = {"seconds", "SECONDS", COLUMN_REAL, 1, false},
	[COL_TALLY + TALLY_REQUESTS] = {"requests", "REQUESTS", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_PAGES] = {"pages_moved", "PAGES MOVED", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_EXCHANGED] = {"pages_by_exchange", "EXCHANGED", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_KERNEL] = {"pages_by_kernel", "BY KERNEL", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_NOT_MOVED] = {"pages_not_moved", "NOT MOVED", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_UPDATES] = {"updates", "UPDATES", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_CANCELLED] = {"cut_short", "CUT SHORT", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_FORKS] = {"forks", "FORK", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_MUNMAPS] = {"munmaps", "MUNMAP", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_MPROTECTS] = {"mprotects", "MPROTECT", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_MREMAPS] = {"mremaps", "MREMAP", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_REFUSED] = {"mremap_efaults", "MREMAP EFAULT", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_DISCARDS] = {"discards", "DISCARD", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_DIRECTS] = {"directs", "O_DIRECT", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_VMS] = {"process_vms", "VM", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_PIPES] = {"pipes", "PIPE", COLUMN_COUNT, 0, false},
};

/* 0 or an exit code. */
static int choose_nodes(struct verify *verify)
{
	struct machine *machine = cli_alloc(1, sizeof(*machine));
	int code = machine_pair(machine, verify_options.from, verify_options.to,
				verify_options.fresh, verify->node);

	free(machine);
	verify->fresh = verify->node[0] == verify->node[1];
	return code;
}

static int open_ferry(struct verify *verify)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct placement *placement;
	int err;

	if (!placement_open(NULL, &placement)) {
		verify->nr_workers = MIN(placement->nr_places, 16U);
		placement_close(placement);
	}
	options.engine = verify_options.engine;
	options.nr_workers = MAX(verify->nr_workers, 2U);
	err = ferry_open(&verify->ferry, &options);
	if (!err)
		return CLI_OK;
	cli_error("%s", ferry_open_error());
	if (err == -ENODEV)
		return CLI_UNSUPPORTED;
	return err == -EINVAL || err == -ENOENT || err == -EPROTO ? CLI_USAGE : CLI_FAILED;
}

/* One table row per folio size; its numbers add up over the turns. */
struct sum {
	enum folio_kind kind;
	double seconds;
	uint64_t tally[NR_TALLIES];
};

static int run_turn(struct verify *verify, size_t folio_bytes, uint64_t turn_ns, struct sum *sum)
{
	uint64_t before[NR_TALLIES], start_ns = now_ns();
	int err;

	for (unsigned int i = 0; i < NR_TALLIES; i++)
		before[i] = verify->tally[i];
	verify->seed = verify_options.seed * 0xd1342543de82ef95ULL + verify->nr_turns++;
	err = verify_phase(verify, folio_bytes, turn_ns);
	sum->seconds += (double)(now_ns() - start_ns) / 1e9;
	sum->kind = verify->kind;
	for (unsigned int i = 0; i < NR_TALLIES; i++)
		sum->tally[i] += verify->tally[i] - before[i];
	return err;
}

static int run_turns(struct verify *verify, struct sum *sums)
{
	unsigned int nr_folios = verify_options.folios.nr;
	uint64_t per_folio_ns = verify_options.time_ns / nr_folios;
	uint64_t nr_rounds = per_folio_ns / TURN_NS + 1;

	for (uint64_t round = 0; round < nr_rounds; round++) {
		for (unsigned int i = 0; i < nr_folios; i++) {
			int err = run_turn(verify, verify_options.folios.v[i],
					   per_folio_ns / nr_rounds, &sums[i]);

			if (err)
				return err;
			if (atomic_load(&verify->failure.set))
				return 0;
		}
	}
	return 0;
}

static void add_rows(struct table *table, const struct sum *sums)
{
	for (unsigned int i = 0; i < verify_options.folios.nr; i++) {
		if (sums[i].seconds <= 0)
			continue;
		table_row(table);
		table_count(table, COL_FOLIO, (int64_t)verify_options.folios.v[i]);
		table_text(table, COL_FOLIOS, "%s", folio_kind_name(sums[i].kind));
		table_real(table, COL_TIME, sums[i].seconds);
		for (unsigned int t = 0; t < NR_TALLIES; t++) {
			if (sums[i].tally[t] || t <= TALLY_CANCELLED)
				table_count(table, COL_TALLY + t, (int64_t)sums[i].tally[t]);
		}
	}
}

/* What was asked for but never happened is said: a test that tests nothing must not look green. */
static void note_missing(struct report *report, const struct verify *verify)
{
	for (unsigned int i = 0; i < nr_slot_kinds; i++) {
		if (text_list_has(&verify_options.with, slot_kinds[i].name) &&
		    !verify->tally[slot_kinds[i].tally])
			report_note(
				report, "Not done here: %s%s.", slot_kinds[i].name,
				slot_kinds[i].tally == TALLY_DIRECTS
					? " (no O_DIRECT on this filesystem: choose another --dir)"
					: "");
	}
}

static void say_verdict(struct report *report, const struct verify *verify)
{
	const struct failure *failure = &verify->failure;
	bool passed = !atomic_load(&failure->set);

	json_object_set_new(report->facts, "passed", json_boolean(passed));
	json_object_set_new(report->facts, "seed", json_integer((json_int_t)verify_options.seed));
	if (passed) {
		report_note(report, "PASS: no update lost, no wrong byte.");
		return;
	}
	if (failure->has_word)
		report_note(report,
			    "FAIL: %s: at %p: expected 0x%016" PRIx64 ", found 0x%016" PRIx64
			    " (seed %" PRIu64 ")",
			    failure->what, (const void *)failure->word.addr, failure->word.expected,
			    failure->word.found, verify_options.seed);
	else
		report_note(report, "FAIL: %s (seed %" PRIu64 ")", failure->what,
			    verify_options.seed);
	json_object_set_new(report->facts, "failure", json_string(failure->what));
}

static int conclude(struct verify *verify, const struct sum *sums)
{
	struct report report;
	int code = atomic_load(&verify->failure.set) ? CLI_FAILED : CLI_OK;

	report_open(&report, "verify");
	add_rows(report_table(&report, "results", NULL, columns, ARRAY_SIZE(columns)), sums);
	note_missing(&report, verify);
	if (!code && !verify->tally[TALLY_PAGES]) {
		report_note(
			&report,
			"Nothing was moved: no exchange mover, and one node; see migbench doctor.");
		code = CLI_UNSUPPORTED;
	} else {
		say_verdict(&report, verify);
	}
	if (verify_options.stats)
		counters_report_ferry(&report,
				      verify_options.engine ? verify_options.engine : "auto",
				      verify->ferry);
	if (report_write(&report, &verify_options.output))
		code = CLI_FAILED;
	report_close(&report);
	return code;
}

static int run(void)
{
	struct verify *verify = cli_alloc(1, sizeof(*verify));
	struct sum *sums = cli_alloc(LIST_MAX, sizeof(*sums));
	int code = CLI_OK;

	for (unsigned int i = 0; i < verify_options.chunks.nr; i++) {
		uint64_t chunk = verify_options.chunks.v[i];

		if (chunk && (chunk < PAGE_BYTES || chunk & (chunk - 1)))
			code = cli_usage_error("--chunk: %" PRIu64
					       " is neither 0 nor a power of two "
					       "from 4K",
					       chunk);
	}
	if (verify_options.output.plot && !code)
		code = cli_usage_error("--plot: verify has nothing to draw");
	if (!code)
		code = choose_nodes(verify);
	if (!code)
		code = open_ferry(verify);
	if (!code && run_turns(verify, sums))
		code = CLI_FAILED;
	else if (!code)
		code = conclude(verify, sums);
	cli_progress_end();
	ferry_close(verify->ferry);
	free(sums);
	free(verify);
	return code;
}

const struct command verify_command = {
	.name = "verify",
	.summary = "checks every byte and every update while pages move",
	.about = "Moves pages while threads write to them and, in memory of their own among them,\n"
		 "fork, unmap, protect, remap, discard, do direct I/O and more; checks every byte\n"
		 "and every update. Ends with PASS, or with FAIL, the address, what was expected\n"
		 "and what was found, and exit status 1.",
	.opts = opts,
	.options = &verify_options,
	.run = run,
};
