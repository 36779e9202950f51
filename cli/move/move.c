// SPDX-License-Identifier: LGPL-2.1-or-later
/* migbench move: whole migrations, by each mover, against the kernel's own and the copy limit. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/move/busy.h"
#include "cli/counters/counters.h"
#include "cli/machine/machine.h"
#include "cli/move/internal.h"

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

static const struct opt opts[] = {
	OPT(TEXTS, "mover", move_options, movers, "LIST",
	    "of syscall (one plain move_pages, the baseline), call (one ferry_move_pages), and "
	    "jobs "
	    "by the movers kernel, exchange and auto; default all that can be used",
	    .words = mover_words),
	OPT(SIZES, "folio", move_options, folios, "LIST",
	    "folio sizes; default 4k,16k,64k,256k,1M,2M", .min = PAGE_BYTES, .max = HUGE_BYTES,
	    .power_of_two = true),
	OPT(UINTS, "workers", move_options, workers, "LIST",
	    "threads that work on a job, 0 for the policy's choice; default 1 and all CPUs",
	    .min = 0, .max = PLACEMENT_MAX),
	OPT(SIZE, "total", move_options, total_bytes, "SIZE",
	    "bytes moved in each round; default 256M", .min = HUGE_BYTES, .max = 1ULL << 40),
	OPT(NODE, "from", move_options, from, "NODE", "node to start on; default the first"),
	OPT(NODE, "to", move_options, to, "NODE",
	    "node to move to and back from; default the next"),
	OPT(FLAG, "fresh", move_options, fresh, NULL,
	    "stay on one node and move into other frames of it; what a machine with one node does "
	    "anyway; exchange only"),
	OPT(FLAG, "scattered", move_options, scattered, NULL,
	    "every other folio, in random order, as a list of pages"),
	OPT(FLAG, "other-process", move_options, other_process, NULL,
	    "the memory is a child process's, which holds and checks it; needs two nodes; not "
	    "exchange, not --stall"),
	OPT(SIZES, "batch", move_options, batches, "LIST",
	    "also measure requests of these sizes: time to the first page and to the whole",
	    .min = PAGE_BYTES, .max = 1ULL << 40),
	OPT(UINT, "busy", move_options, nr_busy, "N",
	    "threads of this process that compute all the time while pages are moved; default 0",
	    .max = 4096),
	OPT(FLAG, "stall", move_options, stall, NULL,
	    "also measure how long a concurrent reader's and writer's accesses take"),
	OPT(FLAG, "stats", move_options, stats, NULL,
	    "also show what the engine and the library counted: descriptors, faults, fallbacks, "
	    "statuses"),
	OPT(TEXT, "engine", move_options, engine, "SPEC",
	    "engine and its parameters; default the best; `migbench doctor` lists them"),
	OPT(SIZE, "chunk", move_options, chunk_bytes, "SIZE",
	    "largest piece that is out at a time; default the library's", .min = PAGE_BYTES,
	    .max = HUGE_BYTES, .power_of_two = true),
	OPT(TIME, "stall-bound", move_options, stall_bound_ns, "TIME",
	    "how long a page should be out at most; default the library's, 1ms", .min = NS_PER_US,
	    .max = NS_PER_SEC),
	OPT(TEXT, "lanes", move_options, lanes, "HOW",
	    "how several workers exchange: together (one changes page tables while the others "
	    "sleep, then all copy), apart (each for itself) or auto; default auto",
	    .words = lanes_words),
	OPT(TEXT, "order", move_options, order, "HOW",
	    "turns: the rows of a folio size take turns, so a busy spell of the machine meets "
	    "all of them; rows: one after the other, each checked at its end, for machines that "
	    "are slow for a while after other work (emulated ones); default turns",
	    .words = order_words),
	OPT(FLAG, "no-limit", move_options, no_limit, NULL, "don't measure the copy limit"),
	OPT(FLAG, "no-check", move_options, no_check, NULL,
	    "don't check place and content of every page after each round"),
	ROUND_OPTS(move_options, rounds),
	{.name = NULL},
};

struct bench {
	struct report report;
	struct table *results, *batches;
	struct placement *placement;
	struct loops *loops;
	struct ferry *ferry;
	struct busy *busy;
	int node[2];
	enum way ways[NR_WAYS];
	unsigned int nr_ways;
	struct uint_list workers;
	/* for the folio size at hand */
	struct subject subject;
	struct area limit_src, limit_dst;
	struct limit limit;
	struct move_row *rows;
	unsigned int nr_rows;
};

/* 0 or an exit code. */
static int choose_nodes(struct bench *bench)
{
	struct machine *machine = cli_alloc(1, sizeof(*machine));
	int code = machine_pair(machine, move_options.from, move_options.to, move_options.fresh,
				bench->node);

	free(machine);
	return code;
}

static void choose_workers(struct bench *bench)
{
	unsigned int nr_all = MIN(bench->placement->nr_places, 16U);

	bench->workers = move_options.workers;
	if (bench->workers.nr)
		return;
	bench->workers.v[bench->workers.nr++] = 1;
	if (nr_all > 1)
		bench->workers.v[bench->workers.nr++] = nr_all;
}

static int open_ferry(struct bench *bench)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	int err;

	for (unsigned int i = 0; i < bench->workers.nr; i++)
		options.nr_workers = MAX(options.nr_workers, (unsigned int)bench->workers.v[i]);
	options.engine = move_options.engine;
	options.chunk_bytes = move_options.chunk_bytes;
	options.stall_bound_ns = move_options.stall_bound_ns;
	/* All frames that a round frees on one node are what the way back needs. */
	options.pool_cap_bytes = move_options.total_bytes + (256 << 20);
	err = ferry_open(&bench->ferry, &options);
	if (!err)
		return CLI_OK;
	cli_error("%s%s", ferry_open_error(),
		  move_options.engine ? " (--engine; `migbench doctor` says more)" : "");
	if (err == -ENODEV)
		return CLI_UNSUPPORTED;
	return err == -EINVAL || err == -ENOENT || err == -EPROTO ? CLI_USAGE : CLI_FAILED;
}

static void make_rows(struct bench *bench)
{
	bench->nr_rows = 0;
	bench->rows = cli_alloc(NR_WAYS * (size_t)LIST_MAX, sizeof(*bench->rows));
	for (unsigned int i = 0; i < bench->nr_ways; i++) {
		enum way way = bench->ways[i];
		bool job = way >= WAY_KERNEL;
		/* Asked for or not, it is the policy that is measured here. */
		bool own_choice = way == WAY_AUTO && !move_options.workers.nr;
		unsigned int nr = job && !own_choice ? bench->workers.nr : 1;

		for (unsigned int w = 0; w < nr; w++) {
			struct move_row *row = &bench->rows[bench->nr_rows++];

			row->way = way;
			row->moved_part = 1;
			if (job && !own_choice)
				row->nr_workers = (unsigned int)bench->workers.v[w];
			else if (way == WAY_SYSCALL)
				row->nr_workers = 1;
		}
	}
}

/* Nothing moved although the call says that all went well: that way can't be had here. */
static bool moved_nothing(const struct bench *bench, const struct outcome *outcome)
{
	if (!outcome->has_result || outcome->result.nr_moved)
		return false;
	cli_error("no page was moved%s; `migbench doctor` says why",
		  bench->subject.fresh ? ": the exchange mover can't be used here" : "");
	return true;
}

static bool row_by_row(void)
{
	return move_options.order && !strcmp(move_options.order, "rows");
}

/* There and, between two nodes, back. 0 or an exit code. */
static int run_row(struct bench *bench, struct move_row *row, bool counted)
{
	struct subject *subject = &bench->subject;
	unsigned int nr_legs = subject->fresh ? 1 : 2;

	for (unsigned int leg = 0; leg < nr_legs; leg++) {
		struct outcome outcome;
		unsigned int end = !subject->at;
		int err;

		busy_begin(bench->busy);
		err = subject_move(subject, bench->ferry, row->way, row->nr_workers, 0,
				   subject->nr_pages, end, &outcome);
		busy_end(bench->busy);
		if (err)
			return CLI_FAILED;
		if (moved_nothing(bench, &outcome))
			return CLI_UNSUPPORTED;
		subject->at = end;
		if (counted)
			move_row_add(row, &outcome, subject_bytes(subject));
		if (!row_by_row() && subject_check(subject, &row->way))
			return CLI_FAILED;
	}
	return CLI_OK;
}

/* They take turns. 0 or an exit code. */
static int measure_turns(struct bench *bench, struct move_row *rows, unsigned int nr_rows)
{
	struct rounds rounds;
	char folio[SIZE_TEXT_BYTES];

	size_text(bench->subject.area.folio_bytes, folio);
	rounds_begin(&rounds, &move_options.rounds, nr_rows);
	while (rounds_next(&rounds)) {
		cli_progress("folio %s, round %llu", folio, (unsigned long long)rounds.nr_done);
		if (!move_options.no_limit && !row_by_row())
			limit_round(&bench->limit);
		for (unsigned int i = 0; i < nr_rows; i++) {
			int code = run_row(bench, &rows[i], rounds_counted(&rounds));

			if (code)
				return code;
		}
	}
	return CLI_OK;
}

static void measure_limit(struct bench *bench)
{
	struct rounds rounds;

	rounds_begin(&rounds, &move_options.rounds, 1);
	while (rounds_next(&rounds))
		limit_round(&bench->limit);
}

static int measure_row_by_row(struct bench *bench)
{
	if (!move_options.no_limit)
		measure_limit(bench);
	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		int code = measure_turns(bench, &bench->rows[i], 1);

		if (code)
			return code;
		if (subject_check(&bench->subject, &bench->rows[i].way))
			return CLI_FAILED;
	}
	return CLI_OK;
}

static int measure_rows(struct bench *bench)
{
	char folio[SIZE_TEXT_BYTES];
	int code = row_by_row() ? measure_row_by_row(bench)
				: measure_turns(bench, bench->rows, bench->nr_rows);

	if (code)
		return code;
	size_text(bench->subject.area.folio_bytes, folio);
	for (unsigned int i = 0; i < bench->nr_rows && move_options.stall; i++) {
		cli_progress("folio %s, stall by %s", folio, way_name(bench->rows[i].way));
		if (move_stall(&bench->subject, bench->ferry, &bench->rows[i]) ||
		    subject_check(&bench->subject, &bench->rows[i].way))
			return CLI_FAILED;
	}
	if (!move_options.batches.nr)
		return CLI_OK;
	return move_batches(&bench->subject, bench->ferry, bench->ways, bench->nr_ways,
			    bench->batches)
		       ? CLI_FAILED
		       : CLI_OK;
}

static void report_rows(struct bench *bench)
{
	const struct limit_candidate *limit =
		move_options.no_limit ? NULL : limit_best(&bench->limit);
	const struct subject *subject = &bench->subject;
	double kernel_rate = 0;
	char folio[SIZE_TEXT_BYTES];

	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		if (bench->rows[i].way == WAY_SYSCALL)
			kernel_rate = samples_median(&bench->rows[i].gb_per_s);
	}
	for (unsigned int i = 0; i < bench->nr_rows; i++)
		move_table_add(bench->results, subject, &bench->rows[i], limit, kernel_rate);
	size_text(subject->area.folio_bytes, folio);
	if (subject->area.kind == FOLIO_GROUP)
		report_note(&bench->report,
			    "%s: the kernel gives no folios of this size here, so consecutive 4K "
			    "pages stand in: echo madvise > "
			    "/sys/kernel/mm/transparent_hugepage/hugepages-%zukB/enabled",
			    folio, subject->area.folio_bytes >> 10);
	if (area_came_apart(&subject->area))
		report_note(&bench->report,
			    "%s: the kernel has split the folios while it moved them to and fro: "
			    "most of what was measured are 4K pages.",
			    folio);
}

static int open_folio(struct bench *bench, size_t folio_bytes)
{
	int err = subject_open(&bench->subject, folio_bytes, bench->node);

	if (!err && !move_options.no_limit) {
		err = area_open(&bench->limit_src, move_options.total_bytes, folio_bytes,
				bench->node[0]);
		if (!err)
			err = area_open(&bench->limit_dst, move_options.total_bytes, folio_bytes,
					bench->node[1]);
	}
	if (err) {
		cli_error("--total: no memory on node %d or %d (%s): ask for less", bench->node[0],
			  bench->node[1], strerror(-err));
		return CLI_FAILED;
	}
	if (!move_options.no_limit)
		limit_open(&bench->limit, bench->loops, &bench->limit_dst, &bench->limit_src);
	make_rows(bench);
	return CLI_OK;
}

static int bench_folio(struct bench *bench, size_t folio_bytes)
{
	int code = open_folio(bench, folio_bytes);

	if (!code)
		code = measure_rows(bench);
	if (!code)
		report_rows(bench);
	for (unsigned int i = 0; i < bench->nr_rows; i++)
		move_row_free(&bench->rows[i]);
	free(bench->rows);
	bench->rows = NULL;
	bench->nr_rows = 0;
	limit_close(&bench->limit);
	area_close(&bench->limit_src);
	area_close(&bench->limit_dst);
	subject_close(&bench->subject);
	return code;
}

static int write_results(struct bench *bench)
{
	struct plot plot;
	char total[SIZE_TEXT_BYTES];

	if (move_options.nr_busy)
		json_object_set_new(bench->report.facts, "busy_threads",
				    json_integer((json_int_t)move_options.nr_busy));
	if (move_options.order)
		json_object_set_new(bench->report.facts, "order", json_string(move_options.order));
	if (move_options.stall_bound_ns)
		json_object_set_new(bench->report.facts, "stall_bound_ns",
				    json_integer((json_int_t)move_options.stall_bound_ns));
	if (!move_options.no_limit)
		json_object_set_new(bench->report.facts, "limit_gb_per_s",
				    json_real(move_table_best_limit(bench->results)));
	if (move_options.stats)
		counters_report_ferry(&bench->report,
				      move_options.engine ? move_options.engine : "auto",
				      bench->ferry);
	if (report_write(&bench->report, &move_options.output))
		return CLI_FAILED;
	if (!move_options.output.plot)
		return CLI_OK;
	plot_init(&plot, "How fast pages move: pageferry against the kernel",
		  "folio size (how large the pages are)",
		  "GB/s (1e9 bytes per second), more is better");
	if (bench->node[0] == bench->node[1])
		plot.title = "How fast pageferry moves pages into fresh frames";
	plot_subtitle(&plot,
		      "%s in one request, %s, %s%s; medians; thin lines: median absolute deviation",
		      size_text(move_options.total_bytes, total),
		      move_options.scattered ? "every other page in random order" : "contiguous",
		      bench->node[0] == bench->node[1] ? "within one node" : "between two nodes",
		      move_options.other_process ? ", of another process" : "");
	plot.limit_label = "copy limit of this machine";
	move_table_draw(bench->results, &plot);
	return plot_write(&plot, move_options.output.plot) ? CLI_FAILED : CLI_OK;
}

static int prepare(struct bench *bench)
{
	int code = choose_nodes(bench);

	if (!code)
		code = move_choose_ways(&bench->report, bench->node, bench->ways, &bench->nr_ways);
	if (code)
		return code;
	if (placement_open(NULL, &bench->placement) ||
	    loops_open(bench->placement, &bench->loops) ||
	    busy_open((unsigned int)move_options.nr_busy, &bench->busy)) {
		cli_error("threads can't be started: raise `ulimit -u`");
		return CLI_FAILED;
	}
	choose_workers(bench);
	return open_ferry(bench);
}

static int run(void)
{
	struct bench *bench = cli_alloc(1, sizeof(*bench));
	int code;

	report_open(&bench->report, "move");
	bench->results = move_table(&bench->report);
	if (move_options.batches.nr)
		bench->batches = move_batch_table(&bench->report);
	code = prepare(bench);
	for (unsigned int i = 0; i < move_options.folios.nr && !code; i++)
		code = bench_folio(bench, move_options.folios.v[i]);
	if (!code)
		code = write_results(bench);
	cli_progress_end();
	ferry_close(bench->ferry);
	busy_close(bench->busy);
	loops_close(bench->loops);
	placement_close(bench->placement);
	report_close(&bench->report);
	free(bench);
	return code;
}

const struct command move_command = {
	.name = "move",
	.summary = "whole migrations, against the kernel's move_pages and the copy limit",
	.about = "Moves pages to and fro between two nodes, or into other frames of the same node\n"
		 "where there is only one, and measures whole requests, planning and statuses\n"
		 "included. Place and content of every page are checked after each round, outside\n"
		 "of the time. WORKERS is empty where the policy chooses. OUT is the longest time\n"
		 "that a page was not accessible in any round.",
	.opts = opts,
	.options = &move_options,
	.run = run,
};
