// SPDX-License-Identifier: LGPL-2.1-or-later
/* migbench copy: an engine by itself against the machine's copy limit. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/copy/internal.h"

static const struct uint_list folios_default = {{4096, 16384, 65536, 262144, 1048576, 2097152}, 6};
static const struct uint_list batches_default = {{64 << 20}, 1};

struct copy_options copy_options = {
	.kernels = {{"auto"}, 1},
	.engine = "cpu",
	.total_bytes = 256 << 20,
	.rounds = ROUND_DEFAULTS,
};

static const struct opt opts[] = {
	OPT(SIZES, "folio", copy_options, folios, "LIST",
	    "folio sizes, the pieces that are copied; default 4k,16k,64k,256k,1M,2M, with a null "
	    "device 4k",
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
	    "bytes handed to the engine at a time, at least one folio; default 64M, to a null "
	    "device 32 folios",
	    .min = 1, .max = 1ULL << 40),
	OPT(FLAG, "scattered", copy_options, scattered, NULL,
	    "folios in random order on both sides"),
	OPT(FLAG, "stats", copy_options, stats, NULL,
	    "also show what the engine counted: descriptors, faults, fallbacks, statuses"),
	ROUND_OPTS(copy_options, rounds),
	{.name = NULL},
};

static void choose_threads(struct copy_bench *bench)
{
	unsigned int nr_all = loops_nr_threads(bench->loops);

	bench->threads = copy_options.threads;
	for (unsigned int nr = 1; !copy_options.threads.nr && nr <= nr_all; nr *= 2)
		bench->threads.v[bench->threads.nr++] = nr;
	if (!copy_options.threads.nr && bench->threads.v[bench->threads.nr - 1] != nr_all)
		bench->threads.v[bench->threads.nr++] = nr_all;
}

/* 0 or an exit code. */
static int choose_kernels(struct copy_bench *bench)
{
	if (text_list_has(&copy_options.kernels, "all")) {
		for (unsigned int i = 0; i < nr_copy_kernels; i++) {
			if (copy_kernels[i].usable() && copy_kernels[i].vault_safe)
				bench->kernels.v[bench->kernels.nr++] = copy_kernels[i].name;
		}
		return 0;
	}
	for (unsigned int i = 0; i < copy_options.kernels.nr; i++) {
		const char *name = copy_options.kernels.v[i];

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

bool copy_by_cpu(void)
{
	return !strcmp(copy_options.engine, "cpu") || !strncmp(copy_options.engine, "cpu:", 4);
}

static char *engine_spec(const struct copy_config *config)
{
	const char *more = strchr(copy_options.engine, ':');

	if (!copy_by_cpu())
		return cli_format("%s", copy_options.engine);
	return cli_format("cpu:threads=%u%s%s%s%s", config->nr_threads,
			  config->kernel ? ",kernel=" : "", config->kernel ? config->kernel : "",
			  more && more[1] ? "," : "", more ? more + 1 : "");
}

int copy_open_engine(struct copy_bench *bench, struct engine_run *run, const char *spec,
		     unsigned int nr_threads)
{
	char why[256] = "";
	int err = engine_run_open(run, spec, nr_threads, bench->placement, why, sizeof(why));

	if (!err)
		return CLI_OK;
	cli_error("--engine %s: %s", spec, *why ? why : strerror(-err));
	return err == -EINVAL || err == -ENOENT || err == -EPROTO ? CLI_USAGE : CLI_UNSUPPORTED;
}

/* 0 or an exit code. */
static int open_config(struct copy_bench *bench, struct copy_config *config)
{
	char *spec = engine_spec(config);
	int code = copy_open_engine(bench, &config->run, spec, config->nr_threads);

	free(spec);
	return code;
}

static int open_configs(struct copy_bench *bench)
{
	unsigned int nr_max = bench->kernels.nr * bench->threads.nr * bench->batches.nr;
	int code = CLI_OK;

	bench->configs = cli_alloc(nr_max, sizeof(*bench->configs));
	bench->nr_configs = 0;
	for (unsigned int i = 0; i < nr_max && !code; i++) {
		struct copy_config *config = &bench->configs[bench->nr_configs++];

		config->batch_bytes = bench->batches.v[i % bench->batches.nr];
		config->nr_threads =
			(unsigned int)bench->threads.v[i / bench->batches.nr % bench->threads.nr];
		config->kernel = bench->kernels.v[i / bench->batches.nr / bench->threads.nr];
		code = open_config(bench, config);
	}
	return code;
}

static void close_configs(struct copy_bench *bench)
{
	for (unsigned int i = 0; i < bench->nr_configs; i++) {
		if (bench->configs[i].run.engine)
			counters_add_engine(&bench->counters, bench->configs[i].run.engine);
		engine_run_close(&bench->configs[i].run);
		samples_free(&bench->configs[i].gb_per_s);
		samples_free(&bench->configs[i].cpu_s_per_gib);
	}
	free(bench->configs);
	bench->configs = NULL;
	bench->nr_configs = 0;
}

/* One item per folio; scattered: source and destination each in an order of its own. */
static void make_items(struct copy_bench *bench, size_t folio_bytes)
{
	uint32_t *from, *to;

	bench->nr_items = (uint32_t)(bench->src.len_bytes / folio_bytes);
	bench->items = cli_alloc(bench->nr_items, sizeof(*bench->items));
	from = shuffled(bench->nr_items, 1);
	to = shuffled(bench->nr_items, 2);
	for (uint32_t i = 0; i < bench->nr_items; i++) {
		size_t src = copy_options.scattered ? from[i] : i;

		bench->items[i] = (struct engine_item){
			.src = bench->src.base + src * folio_bytes,
			.dst = bench->dst.base +
			       (copy_options.scattered ? to[src] : src) * folio_bytes,
			.len_bytes = (uint32_t)folio_bytes,
		};
	}
	free(from);
	free(to);
}

static void run_config(struct copy_bench *bench, struct copy_config *config, bool counted)
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
			  copy_options.engine);
		bench->failed = true;
		return;
	}
	if (!counted)
		return;
	config->nr_left = MAX(config->nr_left, left);
	samples_add(&config->gb_per_s, (double)bench->src.len_bytes / (double)ns);
	samples_add(&config->cpu_s_per_gib, (after.cpu_s - before.cpu_s) / gib);
}

static void run_loop(struct copy_bench *bench, bool counted)
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
static void check_config(struct copy_bench *bench, struct copy_config *config)
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

static void measure(struct copy_bench *bench)
{
	struct rounds rounds;

	rounds_begin(&rounds, &copy_options.rounds, bench->nr_configs + 2);
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

int copy_open_folio(struct copy_bench *bench, size_t folio_bytes)
{
	int err = area_open(&bench->src, copy_options.total_bytes, folio_bytes, -1);

	if (!err)
		err = area_open(&bench->dst, copy_options.total_bytes, folio_bytes, -1);
	if (err) {
		cli_error("--total: no memory (%s): ask for less", strerror(-err));
		return CLI_FAILED;
	}
	area_fill(&bench->src, folio_bytes);
	make_items(bench, folio_bytes);
	return CLI_OK;
}

void copy_close_folio(struct copy_bench *bench)
{
	free(bench->items);
	bench->items = NULL;
	area_close(&bench->src);
	area_close(&bench->dst);
}

static int bench_folio(struct copy_bench *bench, size_t folio_bytes)
{
	int code = copy_open_folio(bench, folio_bytes);

	if (!code)
		code = open_configs(bench);
	if (!code) {
		limit_open(&bench->limit, bench->loops, &bench->dst, &bench->src);
		measure(bench);
		for (unsigned int i = 0; i < bench->nr_configs && !bench->failed; i++)
			copy_table_add(bench, &bench->configs[i]);
		limit_close(&bench->limit);
		code = bench->failed ? CLI_FAILED : CLI_OK;
	}
	close_configs(bench);
	samples_free(&bench->loop_gb_per_s);
	copy_close_folio(bench);
	return code;
}

/* 0 or an exit code. */
static int copy_rows(struct copy_bench *bench)
{
	struct uint_list folios = copy_options.folios.nr ? copy_options.folios : folios_default;
	int code = choose_kernels(bench);

	bench->results = copy_table(&bench->report);
	bench->batches = copy_options.batches.nr ? copy_options.batches : batches_default;
	if (!code)
		choose_threads(bench);
	for (unsigned int i = 0; i < folios.nr && !code; i++)
		code = bench_folio(bench, folios.v[i]);
	if (code)
		return code;
	json_object_set_new(bench->report.facts, "limit_gb_per_s",
			    json_real(copy_table_best_limit(bench->results)));
	report_note(
		&bench->report,
		"Limit: the best of plain pinned copy loops on the same memory in the same run. "
		"x LOOP: against one plain loop.");
	return CLI_OK;
}

static int write_results(struct copy_bench *bench)
{
	if (copy_options.stats)
		counters_report(&bench->report, copy_options.engine, &bench->counters);
	if (report_write(&bench->report, &copy_options.output))
		return CLI_FAILED;
	return copy_options.output.plot && plot_write(&bench->plot, copy_options.output.plot)
		       ? CLI_FAILED
		       : CLI_OK;
}

static int run(void)
{
	struct copy_bench *bench = cli_alloc(1, sizeof(*bench));
	char total[SIZE_TEXT_BYTES];
	int code = CLI_OK;
	bool is_null = false;

	report_open(&bench->report, "copy");
	plot_init(&bench->plot, "How fast the copy engine copies pages",
		  "folio size (what is copied at a time)",
		  "GB/s (1e9 bytes per second), more is better");
	plot_subtitle(&bench->plot,
		      "%s per round, %s; medians; thin bars: median absolute deviation",
		      size_text(copy_options.total_bytes, total),
		      copy_options.scattered ? "folios in random order" : "folios in order");
	bench->plot.limit_label = "copy limit of this machine";

	if (placement_open(NULL, &bench->placement) ||
	    loops_open(bench->placement, &bench->loops)) {
		cli_error("threads can't be started: raise `ulimit -u`");
		code = CLI_FAILED;
	}
	if (!code)
		code = copy_path_find(bench, &is_null);
	if (!code)
		code = is_null ? copy_path(bench) : copy_rows(bench);
	if (!code)
		code = write_results(bench);
	cli_progress_end();
	loops_close(bench->loops);
	placement_close(bench->placement);
	report_close(&bench->report);
	counters_free(&bench->counters);
	free(bench);
	return code;
}

const struct command copy_command = {
	.name = "copy",
	.summary = "an engine alone, against the machine's copy limit",
	.about =
		"Copies memory by an engine, without moving any page, and compares with the copy\n"
		"limit: the best that plain pinned copy loops reach on touched memory of the same\n"
		"folio size, over copy kernels and numbers of threads, in the same run.\n"
		"With a null device (dsa:model,null, sdxi:model,null), which copies nothing, it\n"
		"measures the CPU time of the way to it instead.",
	.opts = opts,
	.options = &copy_options,
	.run = run,
};
