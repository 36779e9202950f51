// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/copy/engine_run.h"
#include "cli/copy/options.h"
#include "cli/copy/rate.h"
#include "cli/copy/table.h"
#include "cli/copy/workload.h"

static const struct uint_list folios_default = {{4096, 16384, 65536, 262144, 1048576, 2097152}, 6};
static const struct uint_list batches_default = {{64 << 20}, 1};

struct rate_config {
	struct engine_run run;
	struct copy_row row;
};

struct rate_bench {
	struct copy_session *session;
	struct table *table;
	struct uint_list threads, batches;
	struct text_list kernels;
	/* for the current folio size */
	struct workload workload;
	struct limit limit;
	struct rate_config *configs;
	unsigned int nr_configs;
	struct samples loop_gb_per_s;
};

static void choose_threads(struct rate_bench *bench)
{
	unsigned int nr_all = bench->session->placement->nr_places;
	struct uint_list *threads = &bench->threads;

	*threads = copy_options.threads;
	if (threads->nr)
		return;
	for (unsigned int nr = 1; nr <= nr_all; nr *= 2)
		threads->v[threads->nr++] = nr;
	if (threads->v[threads->nr - 1] != nr_all)
		threads->v[threads->nr++] = nr_all;
}

static void choose_all_kernels(struct rate_bench *bench)
{
	for (unsigned int i = 0; i < nr_copy_kernels && bench->kernels.nr < LIST_MAX; i++) {
		if (copy_kernels[i].usable() && copy_kernels[i].vault_safe)
			bench->kernels.v[bench->kernels.nr++] = copy_kernels[i].name;
	}
}

/* 0 or an exit code. */
static int choose_kernels(struct rate_bench *bench)
{
	if (text_list_has(&copy_options.kernels, "all")) {
		choose_all_kernels(bench);
		return CLI_OK;
	}
	for (unsigned int i = 0; i < copy_options.kernels.nr; i++) {
		const char *name = copy_options.kernels.v[i];

		if (!strcmp(name, "auto"))
			name = NULL;
		else if (!copy_kernel_find(name))
			return cli_usage_error("--kernel %s: unknown, or not for this CPU; "
					       "`migbench doctor` lists copy kernels",
					       name);
		bench->kernels.v[bench->kernels.nr++] = name;
	}
	return CLI_OK;
}

static char *config_engine_spec(const struct rate_config *config)
{
	const char *more = strchr(copy_options.engine, ':');
	const char *kernel = config->row.kernel;

	if (!copy_uses_cpu_engine())
		return cli_format("%s", copy_options.engine);
	return cli_format("cpu:threads=%u%s%s%s%s", config->row.nr_threads,
			  kernel ? ",kernel=" : "", kernel ? kernel : "",
			  more && more[1] ? "," : "", more ? more + 1 : "");
}

/* 0 or an exit code. */
static int config_open(struct rate_bench *bench, struct rate_config *config)
{
	char *spec = config_engine_spec(config);
	int code = engine_run_open(&config->run, spec, config->row.nr_threads,
				   bench->session->placement);

	free(spec);
	return code;
}

/* One configuration per kernel, number of threads and batch size. */
static int bench_open_configs(struct rate_bench *bench)
{
	const struct uint_list *threads = &bench->threads, *batches = &bench->batches;
	unsigned int nr_max = bench->kernels.nr * threads->nr * batches->nr;
	int code = CLI_OK;

	bench->configs = cli_alloc(nr_max, sizeof(*bench->configs));
	bench->nr_configs = 0;
	for (unsigned int i = 0; i < nr_max && !code; i++) {
		struct rate_config *config = &bench->configs[bench->nr_configs++];
		struct copy_row *row = &config->row;

		row->batch_bytes = batches->v[i % batches->nr];
		row->nr_threads = (unsigned int)threads->v[i / batches->nr % threads->nr];
		row->kernel = bench->kernels.v[i / batches->nr / threads->nr];
		code = config_open(bench, config);
	}
	return code;
}

static void bench_close_configs(struct rate_bench *bench)
{
	for (unsigned int i = 0; i < bench->nr_configs; i++) {
		struct rate_config *config = &bench->configs[i];

		if (config->run.engine)
			engine_run_count(&config->run, &bench->session->counters);
		engine_run_close(&config->run);
		samples_free(&config->row.gb_per_s);
		samples_free(&config->row.cpu_s_per_gib);
	}
	free(bench->configs);
	bench->configs = NULL;
	bench->nr_configs = 0;
}

/* 0 or an exit code. */
static int config_run(struct rate_bench *bench, struct rate_config *config, bool counted)
{
	const struct workload *workload = &bench->workload;
	struct usage before = usage_now(), after;
	uint64_t start_ns = now_ns(), ns;
	double bytes = (double)workload->src.len_bytes;
	struct copy_row *row = &config->row;
	long left = engine_run_copy(&config->run, workload->items, workload->nr_items,
				    row->batch_bytes);

	ns = now_ns() - start_ns;
	after = usage_now();
	if (left < 0) {
		cli_error("engine %s: a device still writes after 10 s; results would be unsafe",
			  copy_options.engine);
		return CLI_FAILED;
	}
	if (!counted)
		return CLI_OK;
	row->nr_left = MAX(row->nr_left, left);
	samples_add(&row->gb_per_s, bytes / (double)ns);
	samples_add(&row->cpu_s_per_gib, (after.cpu_s - before.cpu_s) / (bytes / (1UL << 30)));
	return CLI_OK;
}

static void bench_run_loop(struct rate_bench *bench, bool counted)
{
	const struct workload *workload = &bench->workload;
	const struct copy_kernel *kernel = copy_kernel_best(workload->items[0].len_bytes, 1);
	uint64_t start_ns = now_ns();

	workload_copy(workload, kernel);
	if (counted)
		samples_add(&bench->loop_gb_per_s,
			    (double)workload->src.len_bytes / (double)(now_ns() - start_ns));
}

/* Lets the engine copy over other content and compares. 0 or an exit code. */
static int config_check(struct rate_bench *bench, struct rate_config *config)
{
	int code;

	memset(bench->workload.dst.base, 0xa5, bench->workload.dst.len_bytes);
	code = config_run(bench, config, false);
	if (!workload_check(&bench->workload))
		code = CLI_FAILED;
	return code;
}

/* 0 or an exit code. */
static int bench_measure(struct rate_bench *bench)
{
	struct rounds rounds;
	int code = CLI_OK;

	rounds_begin(&rounds, &copy_options.rounds, bench->nr_configs + 2);
	while (!code && rounds_next(&rounds)) {
		cli_progress("%zuk: round %llu", bench->workload.src.folio_bytes >> 10,
			     (unsigned long long)rounds.nr_done);
		limit_round(&bench->limit);
		bench_run_loop(bench, rounds_counted(&rounds));
		for (unsigned int i = 0; i < bench->nr_configs && !code; i++)
			code = config_run(bench, &bench->configs[i], rounds_counted(&rounds));
	}
	for (unsigned int i = 0; i < bench->nr_configs && !code; i++)
		code = config_check(bench, &bench->configs[i]);
	return code;
}

static void bench_add_rows(struct rate_bench *bench)
{
	const struct copy_reference reference = {
		.area = &bench->workload.src,
		.limit = limit_best(&bench->limit),
		.loop_gb_per_s = samples_median(&bench->loop_gb_per_s),
	};

	for (unsigned int i = 0; i < bench->nr_configs; i++)
		copy_table_add(bench->table, &bench->configs[i].row, &reference);
}

/* 0 or an exit code. */
static int bench_run_folio(struct rate_bench *bench, size_t folio_bytes)
{
	struct workload *workload = &bench->workload;
	int code = workload_open(workload, folio_bytes);

	if (!code)
		code = bench_open_configs(bench);
	if (!code) {
		limit_open(&bench->limit, bench->session->loops, &workload->dst, &workload->src);
		code = bench_measure(bench);
		if (!code)
			bench_add_rows(bench);
		limit_close(&bench->limit);
	}
	bench_close_configs(bench);
	samples_free(&bench->loop_gb_per_s);
	workload_close(workload);
	return code;
}

int copy_rate(struct copy_session *session)
{
	struct uint_list folios = copy_options.folios.nr ? copy_options.folios : folios_default;
	struct rate_bench *bench = cli_alloc(1, sizeof(*bench));
	int code;

	bench->session = session;
	bench->table = copy_table(&session->report);
	bench->batches = copy_options.batches.nr ? copy_options.batches : batches_default;
	code = choose_kernels(bench);
	choose_threads(bench);
	for (unsigned int i = 0; i < folios.nr && !code; i++)
		code = bench_run_folio(bench, folios.v[i]);
	if (!code && copy_options.output.plot)
		copy_table_draw(bench->table, &session->plot);
	if (!code) {
		json_object_set_new(session->report.facts, "limit_gb_per_s",
				    json_real(copy_table_best_limit(bench->table)));
		report_note(&session->report,
			    "LIMIT: the best plain pinned copy loops, on the same memory in the "
			    "same run. x LOOP: compared with one plain loop.");
	}
	free(bench);
	return code;
}
