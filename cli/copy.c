// SPDX-License-Identifier: LGPL-2.1-or-later
/* migbench copy: an engine by itself against the machine's copy limit. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/engine_run.h"
#include "cli/limit.h"
#include "cli/measure.h"
#include "cli/plot.h"
#include "cli/report.h"

static struct copy_options {
	struct output_options output;
	struct uint_list folios, threads, batches;
	struct text_list kernels;
	const char *engine;
	uint64_t total_bytes;
	bool scattered;
	struct round_options rounds;
} options = {
	.folios = {{4096, 16384, 65536, 262144, 1048576, 2097152}, 6},
	.kernels = {{"auto"}, 1},
	.batches = {{64 << 20}, 1},
	.engine = "cpu",
	.total_bytes = 256 << 20,
	.rounds = ROUND_DEFAULTS,
};

static const struct opt opts[] = {
	OPT(SIZES, "folio", copy_options, folios, "LIST",
	    "folio sizes, the pieces that are copied; default 4k,16k,64k,256k,1M,2M",
	    .min = PAGE_BYTES, .max = HUGE_BYTES, .power_of_two = true),
	OPT(UINTS, "threads", copy_options, threads, "LIST",
	    "threads that copy, the caller's included; default 1, 2, 4 … all CPUs", .min = 1,
	    .max = PLACEMENT_MAX),
	OPT(TEXTS, "kernel", copy_options, kernels, "LIST",
	    "copy kernels: names as `migbench doctor` has them, auto, or all; default auto"),
	OPT(TEXT, "engine", copy_options, engine, "SPEC",
	    "engine and its parameters; default cpu; `migbench doctor` lists them"),
	OPT(SIZE, "total", copy_options, total_bytes, "SIZE", "bytes per round; default 256M",
	    .min = HUGE_BYTES, .max = 1ULL << 40),
	OPT(SIZES, "batch", copy_options, batches, "LIST",
	    "bytes handed to the engine at a time, at least one folio; default 64M", .min = 1,
	    .max = 1ULL << 40),
	OPT(FLAG, "scattered", copy_options, scattered, NULL,
	    "folios in random order on both sides"),
	ROUND_OPTS(copy_options, rounds),
	{.name = NULL},
};

enum {
	COL_FOLIO,
	COL_FOLIOS,
	COL_ORDER,
	COL_ENGINE,
	COL_KERNEL,
	COL_WORKERS,
	COL_BATCH,
	COL_RATE,
	COL_NS,
	COL_LIMIT,
	COL_RATIO,
	COL_VS_LOOP,
	COL_CPU,
	COL_LEFT,
	COL_ROUNDS,
	COL_LIMIT_KERNEL,
	COL_LIMIT_THREADS,
};

static const struct column columns[] = {
	[COL_FOLIO] = {"folio_bytes", "FOLIO", COLUMN_BYTES, 0, false},
	[COL_FOLIOS] = {"folios", "MADE OF", COLUMN_TEXT, 0, false},
	[COL_ORDER] = {"order", "ORDER", COLUMN_TEXT, 0, true},
	[COL_ENGINE] = {"engine", "ENGINE", COLUMN_TEXT, 0, false},
	[COL_KERNEL] = {"kernel", "KERNEL", COLUMN_TEXT, 0, false},
	[COL_WORKERS] = {"workers", "THREADS", COLUMN_COUNT, 0, false},
	[COL_BATCH] = {"batch_bytes", "BATCH", COLUMN_BYTES, 0, false},
	[COL_RATE] = {"gb_per_s", "GB/s", COLUMN_REAL, 2, false},
	[COL_NS] = {"ns_per_4k", "ns/4K", COLUMN_REAL, 0, false},
	[COL_LIMIT] = {"limit_gb_per_s", "LIMIT GB/s", COLUMN_REAL, 2, false},
	[COL_RATIO] = {"limit_ratio", "OF LIMIT", COLUMN_REAL, 2, false},
	[COL_VS_LOOP] = {"vs_loop", "x LOOP", COLUMN_REAL, 2, false},
	[COL_CPU] = {"cpu_s_per_gib", "CPU s/GiB", COLUMN_REAL, 3, false},
	[COL_LEFT] = {"nr_left_to_cpu", "LEFT TO CPU", COLUMN_COUNT, 0, false},
	[COL_ROUNDS] = {"rounds", "ROUNDS", COLUMN_COUNT, 0, true},
	[COL_LIMIT_KERNEL] = {"limit_kernel", "", COLUMN_TEXT, 0, true},
	[COL_LIMIT_THREADS] = {"limit_threads", "", COLUMN_COUNT, 0, true},
};

/* One row: an engine, opened for a number of threads and a kernel. */
struct config {
	const char *kernel; /* NULL: the engine's choice */
	unsigned int nr_threads;
	size_t batch_bytes;
	struct engine_run run;
	struct samples gb_per_s, cpu_s_per_gib;
	long nr_left;
};

struct bench {
	struct report report;
	struct table *results;
	struct plot plot;
	struct placement *placement;
	struct loops *loops;
	struct uint_list threads;
	struct text_list kernels;
	/* for the folio size at hand */
	struct area src, dst;
	struct limit limit;
	struct engine_item *items;
	uint32_t nr_items;
	struct config *configs;
	unsigned int nr_configs;
	struct samples loop_gb_per_s; /* one plain loop over the same items */
	bool failed;
};

static void choose_threads(struct bench *bench)
{
	unsigned int nr_all = loops_nr_threads(bench->loops);

	bench->threads = options.threads;
	for (unsigned int nr = 1; !options.threads.nr && nr <= nr_all; nr *= 2)
		bench->threads.v[bench->threads.nr++] = nr;
	if (!options.threads.nr && bench->threads.v[bench->threads.nr - 1] != nr_all)
		bench->threads.v[bench->threads.nr++] = nr_all;
}

/* 0 or an exit code. */
static int choose_kernels(struct bench *bench)
{
	if (text_list_has(&options.kernels, "all")) {
		for (unsigned int i = 0; i < nr_copy_kernels; i++) {
			if (copy_kernels[i].usable() && copy_kernels[i].vault_safe)
				bench->kernels.v[bench->kernels.nr++] = copy_kernels[i].name;
		}
		return 0;
	}
	for (unsigned int i = 0; i < options.kernels.nr; i++) {
		const char *name = options.kernels.v[i];

		if (!strcmp(name, "auto"))
			name = NULL;
		else if (!copy_kernel_find(name))
			return cli_usage_error("--kernel %s: unknown, or this CPU can't run it; "
					       "`migbench doctor` lists them",
					       name);
		bench->kernels.v[bench->kernels.nr++] = name;
	}
	return 0;
}

static bool is_cpu_engine(void)
{
	return !strcmp(options.engine, "cpu") || !strncmp(options.engine, "cpu:", 4);
}

/* Kernels and threads are the CPU engine's parameters; another engine is taken as it is named. */
static char *engine_spec(const struct config *config)
{
	const char *more = strchr(options.engine, ':');

	if (!is_cpu_engine())
		return cli_format("%s", options.engine);
	return cli_format("cpu:threads=%u%s%s%s%s", config->nr_threads,
			  config->kernel ? ",kernel=" : "", config->kernel ? config->kernel : "",
			  more && more[1] ? "," : "", more ? more + 1 : "");
}

/* 0 or an exit code. */
static int open_config(struct bench *bench, struct config *config)
{
	char *spec = engine_spec(config);
	char why[256] = "";
	int err = engine_run_open(&config->run, spec, config->nr_threads, bench->placement, why,
				  sizeof(why));

	if (err)
		cli_error("--engine %s: %s", spec, *why ? why : strerror(-err));
	free(spec);
	if (!err)
		return CLI_OK;
	return err == -EINVAL || err == -ENOENT || err == -EPROTO ? CLI_USAGE : CLI_UNSUPPORTED;
}

static int open_configs(struct bench *bench)
{
	unsigned int nr_max = bench->kernels.nr * bench->threads.nr * options.batches.nr;
	int code = CLI_OK;

	bench->configs = cli_alloc(nr_max, sizeof(*bench->configs));
	bench->nr_configs = 0;
	for (unsigned int i = 0; i < nr_max && !code; i++) {
		struct config *config = &bench->configs[bench->nr_configs++];

		config->batch_bytes = options.batches.v[i % options.batches.nr];
		config->nr_threads =
			(unsigned int)bench->threads.v[i / options.batches.nr % bench->threads.nr];
		config->kernel = bench->kernels.v[i / options.batches.nr / bench->threads.nr];
		code = open_config(bench, config);
	}
	return code;
}

static void close_configs(struct bench *bench)
{
	for (unsigned int i = 0; i < bench->nr_configs; i++) {
		engine_run_close(&bench->configs[i].run);
		samples_free(&bench->configs[i].gb_per_s);
		samples_free(&bench->configs[i].cpu_s_per_gib);
	}
	free(bench->configs);
	bench->configs = NULL;
	bench->nr_configs = 0;
}

/* One item per folio; scattered: source and destination each in an order of its own. */
static void make_items(struct bench *bench, size_t folio_bytes)
{
	uint32_t *from, *to;

	bench->nr_items = (uint32_t)(bench->src.len_bytes / folio_bytes);
	bench->items = cli_alloc(bench->nr_items, sizeof(*bench->items));
	from = shuffled(bench->nr_items, 1);
	to = shuffled(bench->nr_items, 2);
	for (uint32_t i = 0; i < bench->nr_items; i++) {
		size_t src = options.scattered ? from[i] : i;

		/* In place of a folio's own number goes a slot that is a bijection of it. */
		bench->items[i] = (struct engine_item){
			.src = bench->src.base + src * folio_bytes,
			.dst = bench->dst.base + (options.scattered ? to[src] : src) * folio_bytes,
			.len_bytes = (uint32_t)folio_bytes,
		};
	}
	free(from);
	free(to);
}

static void run_config(struct bench *bench, struct config *config, bool counted)
{
	struct usage before = usage_now(), after;
	uint64_t start_ns = now_ns(), ns;
	double gib = (double)bench->src.len_bytes / (double)(1UL << 30);
	long left =
		engine_run_copy(&config->run, bench->items, bench->nr_items, config->batch_bytes);

	ns = now_ns() - start_ns;
	after = usage_now();
	if (left < 0) {
		cli_error("engine %s: a device still writes after 10 s; it can't be trusted",
			  options.engine);
		bench->failed = true;
		return;
	}
	if (!counted)
		return;
	config->nr_left = MAX(config->nr_left, left);
	samples_add(&config->gb_per_s, (double)bench->src.len_bytes / (double)ns);
	samples_add(&config->cpu_s_per_gib, (after.cpu_s - before.cpu_s) / gib);
}

static void run_loop(struct bench *bench, bool counted)
{
	const struct copy_kernel *kernel = copy_kernel_best(bench->items[0].len_bytes, 1);
	uint64_t start_ns = now_ns();

	for (uint32_t i = 0; i < bench->nr_items; i++)
		kernel->copy(bench->items[i].dst, bench->items[i].src, bench->items[i].len_bytes);
	if (counted)
		samples_add(&bench->loop_gb_per_s,
			    (double)bench->src.len_bytes / (double)(now_ns() - start_ns));
}

/* Each engine copies into a destination that holds something else. */
static void check_config(struct bench *bench, struct config *config)
{
	struct mismatch bad = {0};

	memset(bench->dst.base, 0xa5, bench->dst.len_bytes);
	run_config(bench, config, false);
	for (uint32_t i = 0; i < bench->nr_items && !bad.addr; i++) {
		const struct engine_item *item = &bench->items[i];
		const uint64_t *dst = item->dst, *src = item->src;

		for (size_t w = 0; w < item->len_bytes / 8 && !bad.addr; w++) {
			if (dst[w] != src[w])
				bad = (struct mismatch){&dst[w], src[w], dst[w]};
		}
	}
	if (!bad.addr)
		return;
	mismatch_report("copied bytes are wrong", &bad);
	bench->failed = true;
}

static void measure(struct bench *bench)
{
	struct rounds rounds;

	rounds_begin(&rounds, &options.rounds, bench->nr_configs + 2);
	while (rounds_next(&rounds) && !bench->failed) {
		cli_progress("%zuk: round %llu", bench->src.folio_bytes >> 10,
			     (unsigned long long)rounds.nr_done);
		limit_round(&bench->limit);
		run_loop(bench, rounds_counted(&rounds));
		for (unsigned int i = 0; i < bench->nr_configs; i++)
			run_config(bench, &bench->configs[i], rounds_counted(&rounds));
	}
	for (unsigned int i = 0; i < bench->nr_configs && !bench->failed; i++)
		check_config(bench, &bench->configs[i]);
}

static const char *kernel_name(const struct bench *bench, const struct config *config)
{
	if (config->kernel)
		return config->kernel;
	return copy_kernel_best(bench->src.folio_bytes, config->nr_threads)->name;
}

static void add_row(struct bench *bench, const struct config *config)
{
	const struct limit_candidate *limit = limit_best(&bench->limit);
	double limit_rate = samples_median(&limit->gb_per_s);
	double rate = samples_median(&config->gb_per_s);
	struct table *table = bench->results;
	char group[SIZE_TEXT_BYTES], series[64];

	table_row(table);
	table_count(table, COL_FOLIO, (int64_t)bench->src.folio_bytes);
	table_text(table, COL_FOLIOS, "%s", folio_kind_name(bench->src.kind));
	table_text(table, COL_ORDER, "%s", options.scattered ? "scattered" : "contiguous");
	table_text(table, COL_ENGINE, "%s", options.engine);
	if (is_cpu_engine())
		table_text(table, COL_KERNEL, "%s", kernel_name(bench, config));
	table_count(table, COL_WORKERS, config->nr_threads);
	table_count(table, COL_BATCH, (int64_t)config->batch_bytes);
	table_spread(table, COL_RATE, rate, samples_mad(&config->gb_per_s));
	table_real(table, COL_NS, PAGE_BYTES / rate);
	table_spread(table, COL_LIMIT, limit_rate, samples_mad(&limit->gb_per_s));
	table_real(table, COL_RATIO, rate / limit_rate);
	table_real(table, COL_VS_LOOP, rate / samples_median(&bench->loop_gb_per_s));
	table_spread(table, COL_CPU, samples_median(&config->cpu_s_per_gib),
		     samples_mad(&config->cpu_s_per_gib));
	if (config->nr_left)
		table_count(table, COL_LEFT, config->nr_left);
	table_count(table, COL_ROUNDS, config->gb_per_s.nr);
	table_text(table, COL_LIMIT_KERNEL, "%s", limit->kernel->name);
	table_count(table, COL_LIMIT_THREADS, limit->nr_threads);

	size_text(bench->src.folio_bytes, group);
	snprintf(series, sizeof(series), "%s%s%s, %u thread%s", options.engine,
		 config->kernel ? " " : "", config->kernel ? config->kernel : "",
		 config->nr_threads, config->nr_threads == 1 ? "" : "s");
	if (options.batches.nr > 1) {
		char batch[SIZE_TEXT_BYTES];
		size_t len = strlen(series);

		snprintf(series + len, sizeof(series) - len, ", batch %s",
			 size_text(config->batch_bytes, batch));
	}
	plot_add(&bench->plot, group, series, rate, samples_mad(&config->gb_per_s));
	plot_limit(&bench->plot, group, limit_rate);
}

static int bench_folio(struct bench *bench, size_t folio_bytes)
{
	int err = area_open(&bench->src, options.total_bytes, folio_bytes, -1);
	int code = CLI_OK;

	if (!err)
		err = area_open(&bench->dst, options.total_bytes, folio_bytes, -1);
	if (err) {
		cli_error("--total: no memory (%s): ask for less", strerror(-err));
		return CLI_FAILED;
	}
	area_fill(&bench->src, folio_bytes);
	make_items(bench, folio_bytes);
	code = open_configs(bench);
	if (!code) {
		limit_open(&bench->limit, bench->loops, &bench->dst, &bench->src);
		measure(bench);
		for (unsigned int i = 0; i < bench->nr_configs && !bench->failed; i++)
			add_row(bench, &bench->configs[i]);
		limit_close(&bench->limit);
		code = bench->failed ? CLI_FAILED : CLI_OK;
	}
	close_configs(bench);
	samples_free(&bench->loop_gb_per_s);
	free(bench->items);
	area_close(&bench->src);
	area_close(&bench->dst);
	return code;
}

static int write_results(struct bench *bench)
{
	double best = 0;

	for (unsigned int row = 0; row < bench->results->nr_rows; row++)
		best = MAX(best, table_cell(bench->results, row, COL_LIMIT)->real);
	json_object_set_new(bench->report.facts, "limit_gb_per_s", json_real(best));
	report_note(
		&bench->report,
		"Limit: the best of plain pinned copy loops on the same memory in the same run. "
		"x LOOP: against one plain loop.");
	if (report_write(&bench->report, &options.output))
		return CLI_FAILED;
	return options.output.plot && plot_write(&bench->plot, options.output.plot) ? CLI_FAILED
										    : CLI_OK;
}

static int run(void)
{
	struct bench *bench = cli_alloc(1, sizeof(*bench));
	char total[SIZE_TEXT_BYTES];
	int code = CLI_OK;

	report_open(&bench->report, "copy");
	bench->results =
		report_table(&bench->report, "results", NULL, columns, ARRAY_SIZE(columns));
	plot_init(&bench->plot, "How fast the copy engine copies pages",
		  "folio size (what is copied at a time)",
		  "GB/s (1e9 bytes per second), more is better");
	plot_subtitle(&bench->plot,
		      "%s per round, %s; medians; thin bars: median absolute deviation",
		      size_text(options.total_bytes, total),
		      options.scattered ? "folios in random order" : "folios in order");
	bench->plot.limit_label = "copy limit of this machine";

	if (placement_open(NULL, &bench->placement) ||
	    loops_open(bench->placement, &bench->loops)) {
		cli_error("threads can't be started: raise `ulimit -u`");
		code = CLI_FAILED;
	}
	if (!code)
		code = choose_kernels(bench);
	if (!code)
		choose_threads(bench);
	for (unsigned int i = 0; i < options.folios.nr && !code; i++)
		code = bench_folio(bench, options.folios.v[i]);
	if (!code)
		code = write_results(bench);
	cli_progress_end();
	loops_close(bench->loops);
	placement_close(bench->placement);
	report_close(&bench->report);
	free(bench);
	return code;
}

const struct command copy_command = {
	.name = "copy",
	.summary = "an engine alone, against the machine's copy limit",
	.about =
		"Copies memory by an engine, without moving any page, and compares with the copy\n"
		"limit: the best that plain pinned copy loops reach on touched memory of the same\n"
		"folio size, over copy kernels and numbers of threads, in the same run.",
	.opts = opts,
	.options = &options,
	.run = run,
};
