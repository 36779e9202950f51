// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/copy/engine_run.h"
#include "cli/copy/options.h"
#include "cli/copy/path_cost.h"
#include "cli/copy/workload.h"

#define BATCH_ITEMS_DEFAULT 32
#define BATCH_ITEMS_MAX     4096
#define COMPLETION_MAX_NS   (10 * NS_PER_SEC)

enum {
	COL_ENGINE,
	COL_FOLIO,
	COL_BATCH,
	COL_PATH_NS,
	COL_COPY_NS,
	COL_RATIO,
	COL_PATH_CPU,
	COL_ENGINE_CPU,
	COL_KERNEL,
	COL_ROUNDS,
};

static const struct column columns[] = {
	[COL_ENGINE] = {"engine", "ENGINE", COLUMN_TEXT, 0, false},
	[COL_FOLIO] = {"folio_bytes", "FOLIO", COLUMN_BYTES, 0, false},
	[COL_BATCH] = {"batch_descriptors", "BATCH OF", COLUMN_COUNT, 0, false},
	[COL_PATH_NS] = {"ns_per_descriptor", "ns/DESCRIPTOR", COLUMN_REAL, 1, false},
	[COL_COPY_NS] = {"ns_per_cpu_copy", "ns/CPU COPY", COLUMN_REAL, 1, false},
	[COL_RATIO] = {"copy_ratio", "OF COPY", COLUMN_REAL, 3, false},
	[COL_PATH_CPU] = {"cpu_s_per_gib", "CPU s/GiB", COLUMN_REAL, 4, false},
	[COL_ENGINE_CPU] = {"cpu_engine_cpu_s_per_gib", "BY CPU ENGINE", COLUMN_REAL, 4, false},
	[COL_KERNEL] = {"kernel", "KERNEL", COLUMN_TEXT, 0, false},
	[COL_ROUNDS] = {"rounds", "", COLUMN_COUNT, 0, true},
};

struct path_bench {
	struct copy_session *session;
	struct table *table;
	/* for the current folio size */
	struct workload workload;
	/* for the current batch size */
	uint32_t batch_items;
	struct engine_run device, cpu;
	/* CPU time of this thread per folio */
	struct samples path_ns, copy_ns, engine_ns;
};

/* Items that the null devices behind an engine have completed. */
static uint64_t device_nr_completed(const struct engine_run *run)
{
	struct counters counters = {0};
	uint64_t nr;

	engine_run_count(run, &counters);
	nr = counters_value(&counters, "fallback.null");
	counters_free(&counters);
	return nr;
}

int copy_find_null_device(const struct copy_session *session, bool *is_null)
{
	char from[64] = "", to[64];
	struct engine_item item = {.dst = to, .src = from, .len_bytes = sizeof(from)};
	struct engine_run run;
	int code;

	*is_null = false;
	if (copy_uses_cpu_engine())
		return CLI_OK;
	code = engine_run_open(&run, copy_options.engine, 1, session->placement);
	if (code)
		return code;
	/* Only the counters of an engine that has copied tell whether it is a null device. */
	if (engine_run_copy(&run, &item, 1, sizeof(from)) >= 0)
		*is_null = device_nr_completed(&run) > 0;
	engine_run_close(&run);
	return CLI_OK;
}

/* Submits one batch and waits for it. 0 or -errno. */
static int device_round_trip(struct engine_run *run, struct engine_item *items, uint32_t nr_items,
			     size_t folio_bytes)
{
	const struct engine_ops *ops = run->engine->ops;
	struct engine_batch batch = {
		.items = items, .nr_items = nr_items, .bytes = (uint64_t)nr_items * folio_bytes};
	struct engine_batch *done;
	uint64_t start_ns;

	switch (ops->submit(run->channel, &batch)) {
	case ENGINE_DONE:
		return 0;
	case ENGINE_BUSY:
		return -EBUSY;
	case ENGINE_QUEUED:
		break;
	}
	if (ops->poll(run->channel, 0, &done, 1))
		return 0;
	start_ns = now_ns();
	while (!ops->poll(run->channel, NS_PER_MS, &done, 1)) {
		if (now_ns() - start_ns > COMPLETION_MAX_NS)
			return -ETIMEDOUT;
	}
	return 0;
}

/*
 * Submits as many items as there are folios, but the same few in every batch: as in a mover, they
 * are in the CPU's caches. 0 or an exit code.
 */
static int bench_run_path(struct path_bench *bench, bool counted)
{
	struct workload *workload = &bench->workload;
	uint32_t nr_batches = MAX(workload->nr_items / bench->batch_items, 1U);
	uint64_t nr_items = (uint64_t)nr_batches * bench->batch_items;
	uint64_t before = device_nr_completed(&bench->device), start_ns, ns;
	int err = 0;

	start_ns = thread_cpu_ns();
	for (uint32_t i = 0; i < nr_batches && !err; i++)
		err = device_round_trip(&bench->device, workload->items, bench->batch_items,
					workload->src.folio_bytes);
	ns = thread_cpu_ns() - start_ns;
	if (!err && device_nr_completed(&bench->device) - before != nr_items)
		err = -EIO;
	if (err) {
		cli_error("--engine %s: the device did not complete every descriptor (%s)",
			  copy_options.engine, strerror(-err));
		return CLI_FAILED;
	}
	if (counted)
		samples_add(&bench->path_ns, (double)ns / (double)nr_items);
	return CLI_OK;
}

static void bench_run_copies(struct path_bench *bench, bool counted)
{
	const struct workload *workload = &bench->workload;
	const struct copy_kernel *kernel = copy_kernel_best(workload->src.folio_bytes, 1);
	uint64_t start_ns = thread_cpu_ns();
	double ns;

	workload_copy(workload, kernel);
	ns = (double)(thread_cpu_ns() - start_ns);
	if (counted)
		samples_add(&bench->copy_ns, ns / workload->nr_items);
}

static void bench_run_cpu_engine(struct path_bench *bench, bool counted)
{
	struct workload *workload = &bench->workload;
	uint64_t start_ns = thread_cpu_ns();
	double ns;

	engine_run_copy(&bench->cpu, workload->items, workload->nr_items,
			bench->batch_items * workload->src.folio_bytes);
	ns = (double)(thread_cpu_ns() - start_ns);
	if (counted)
		samples_add(&bench->engine_ns, ns / workload->nr_items);
}

/* 0 or an exit code. */
static int bench_measure(struct path_bench *bench)
{
	struct rounds rounds;
	int code = CLI_OK;

	rounds_begin(&rounds, &copy_options.rounds, 3);
	while (rounds_next(&rounds) && !code) {
		cli_progress("path cost, folio %zuk: round %llu",
			     bench->workload.src.folio_bytes >> 10,
			     (unsigned long long)rounds.nr_done);
		code = bench_run_path(bench, rounds_counted(&rounds));
		bench_run_copies(bench, rounds_counted(&rounds));
		bench_run_cpu_engine(bench, rounds_counted(&rounds));
	}
	return code;
}

static void bench_add_row(const struct path_bench *bench)
{
	struct table *table = bench->table;
	size_t folio_bytes = bench->workload.src.folio_bytes;
	/* seconds per GiB for each nanosecond per folio */
	double per_gib = (double)(1UL << 30) / (double)folio_bytes / 1e9;
	double path_ns = samples_median(&bench->path_ns), path_mad = samples_mad(&bench->path_ns);
	double copy_ns = samples_median(&bench->copy_ns);

	table_row(table);
	table_text(table, COL_ENGINE, "%s", copy_options.engine);
	table_count(table, COL_FOLIO, (int64_t)folio_bytes);
	table_count(table, COL_BATCH, bench->batch_items);
	table_spread(table, COL_PATH_NS, path_ns, path_mad);
	table_spread(table, COL_COPY_NS, copy_ns, samples_mad(&bench->copy_ns));
	table_real(table, COL_RATIO, path_ns / copy_ns);
	table_spread(table, COL_PATH_CPU, path_ns * per_gib, path_mad * per_gib);
	table_spread(table, COL_ENGINE_CPU, samples_median(&bench->engine_ns) * per_gib,
		     samples_mad(&bench->engine_ns) * per_gib);
	table_text(table, COL_KERNEL, "%s", copy_kernel_best(folio_bytes, 1)->name);
	table_count(table, COL_ROUNDS, bench->path_ns.nr);
}

/* batch_bytes 0: the default. */
static uint32_t bench_batch_items(const struct path_bench *bench, uint64_t batch_bytes)
{
	const struct workload *workload = &bench->workload;
	uint64_t nr = batch_bytes ? batch_bytes / workload->src.folio_bytes : BATCH_ITEMS_DEFAULT;

	return (uint32_t)MIN(MAX(nr, 1UL), MIN(workload->nr_items, (uint64_t)BATCH_ITEMS_MAX));
}

/* batch_bytes 0: the default. Returns 0 or an exit code. */
static int bench_run_batch_size(struct path_bench *bench, uint64_t batch_bytes)
{
	struct copy_session *session = bench->session;
	int code = engine_run_open(&bench->device, copy_options.engine, 1, session->placement);

	if (!code)
		code = engine_run_open(&bench->cpu, "cpu:threads=1", 1, session->placement);
	bench->batch_items = bench_batch_items(bench, batch_bytes);
	if (!code)
		code = bench_measure(bench);
	if (!code)
		bench_add_row(bench);
	if (bench->device.engine)
		engine_run_count(&bench->device, &session->counters);
	engine_run_close(&bench->device);
	engine_run_close(&bench->cpu);
	samples_free(&bench->path_ns);
	samples_free(&bench->copy_ns);
	samples_free(&bench->engine_ns);
	return code;
}

/* 0 or an exit code. */
static int bench_run_folio(struct path_bench *bench, size_t folio_bytes)
{
	const struct uint_list *batches = &copy_options.batches;
	int code = workload_open(&bench->workload, folio_bytes);

	if (!code && !batches->nr)
		code = bench_run_batch_size(bench, 0);
	for (unsigned int i = 0; i < batches->nr && !code; i++)
		code = bench_run_batch_size(bench, batches->v[i]);
	workload_close(&bench->workload);
	return code;
}

int copy_path_cost(struct copy_session *session)
{
	struct path_bench bench = {.session = session};
	struct uint_list folios = copy_options.folios;
	int code = CLI_OK;

	if (copy_options.output.plot)
		return cli_usage_error("--plot: there is nothing to draw for a null device");
	bench.table =
		report_table(&session->report, "path_cost",
			     "Path cost: CPU time of one thread to prepare, submit and reap folios",
			     columns, ARRAY_SIZE(columns));
	if (!folios.nr)
		folios = (struct uint_list){{PAGE_BYTES}, 1};
	for (unsigned int i = 0; i < folios.nr && !code; i++)
		code = bench_run_folio(&bench, folios.v[i]);
	report_note(
		&session->report,
		"%s completes each descriptor at once and copies nothing: there is no rate, and "
		"there were no bytes to check.",
		copy_options.engine);
	report_note(&session->report,
		    "ns/CPU COPY: one plain loop by KERNEL over the same folios in the same run. "
		    "BY CPU ENGINE: CPU s/GiB of the cpu engine with one thread.");
	return code;
}
