// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * migbench copy with a null device, one that says yes at once and copies nothing: what is left is
 * the CPU's work for the way to a device, set beside what copying by CPU costs.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cli/copy/internal.h"

#define BATCH_ITEMS_DEFAULT 32
#define BATCH_ITEMS_MAX     4096
#define ANSWER_MAX_NS       (10 * NS_PER_SEC)

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

struct path {
	struct copy_bench *bench;
	struct engine_run device, cpu;
	uint32_t batch_items;
	/* ns of this thread's CPU time per folio */
	struct samples path_ns, copy_ns, engine_ns;
};

/* Items that the null devices behind an engine have answered. */
static uint64_t nr_answered(struct engine_run *run)
{
	struct counters counters = {0};
	uint64_t nr;

	counters_add_engine(&counters, run->engine);
	nr = counters_value(&counters, "fallback.null");
	counters_free(&counters);
	return nr;
}

int copy_path_find(struct copy_bench *bench, bool *is_null)
{
	char from[64] = "", to[64];
	struct engine_item item = {.dst = to, .src = from, .len_bytes = sizeof(from)};
	struct engine_run run;
	int code;

	*is_null = false;
	if (copy_by_cpu())
		return CLI_OK;
	code = copy_open_engine(bench, &run, copy_options.engine, 1);
	if (code)
		return code;
	/* Nobody but the engine knows what it is: it is given something to do. */
	if (engine_run_copy(&run, &item, 1, sizeof(from)) >= 0)
		*is_null = nr_answered(&run) > 0;
	engine_run_close(&run);
	return CLI_OK;
}

/* One batch there and back. 0 or -errno. */
static int round_trip(struct engine_run *run, struct engine_item *items, uint32_t nr_items,
		      uint32_t folio_bytes)
{
	struct engine_batch batch = {
		.items = items, .nr_items = nr_items, .bytes = (uint64_t)nr_items * folio_bytes};
	struct engine_batch *done;
	uint64_t start_ns;

	switch (run->engine->ops->submit(run->channel, &batch)) {
	case ENGINE_DONE:
		return 0;
	case ENGINE_BUSY:
		return -EBUSY;
	case ENGINE_QUEUED:
		break;
	}
	if (run->engine->ops->poll(run->channel, 0, &done, 1))
		return 0;
	start_ns = now_ns();
	while (!run->engine->ops->poll(run->channel, NS_PER_MS, &done, 1)) {
		if (now_ns() - start_ns > ANSWER_MAX_NS)
			return -ETIMEDOUT;
	}
	return 0;
}

/* As many folios as the area has, in batches of the same few items: those of a mover are warm. */
static int run_path(struct path *path, bool counted)
{
	struct copy_bench *bench = path->bench;
	uint32_t folio_bytes = (uint32_t)bench->src.folio_bytes;
	uint32_t nr_batches = MAX(bench->nr_items / path->batch_items, 1U);
	uint64_t nr_items = (uint64_t)nr_batches * path->batch_items;
	uint64_t before = nr_answered(&path->device), start_ns, ns;
	int err = 0;

	start_ns = thread_cpu_ns();
	for (uint32_t i = 0; i < nr_batches && !err; i++)
		err = round_trip(&path->device, bench->items, path->batch_items, folio_bytes);
	ns = thread_cpu_ns() - start_ns;
	if (!err && nr_answered(&path->device) - before != nr_items)
		err = -EIO;
	if (err) {
		cli_error("--engine %s: not every descriptor was answered (%s)",
			  copy_options.engine, strerror(-err));
		return CLI_FAILED;
	}
	if (counted)
		samples_add(&path->path_ns, (double)ns / (double)nr_items);
	return CLI_OK;
}

static void run_copies(struct path *path, bool counted)
{
	struct copy_bench *bench = path->bench;
	const struct copy_kernel *kernel = copy_kernel_best(bench->src.folio_bytes, 1);
	uint64_t start_ns = thread_cpu_ns();
	double ns;

	for (uint32_t i = 0; i < bench->nr_items; i++)
		kernel->copy(bench->items[i].dst, bench->items[i].src, bench->items[i].len_bytes);
	ns = (double)(thread_cpu_ns() - start_ns);
	if (counted)
		samples_add(&path->copy_ns, ns / bench->nr_items);
}

static void run_cpu_engine(struct path *path, bool counted)
{
	struct copy_bench *bench = path->bench;
	uint64_t start_ns = thread_cpu_ns();
	double ns;

	engine_run_copy(&path->cpu, bench->items, bench->nr_items,
			path->batch_items * bench->src.folio_bytes);
	ns = (double)(thread_cpu_ns() - start_ns);
	if (counted)
		samples_add(&path->engine_ns, ns / bench->nr_items);
}

static int measure(struct path *path)
{
	struct rounds rounds;
	int code = CLI_OK;

	rounds_begin(&rounds, &copy_options.rounds, 3);
	while (rounds_next(&rounds) && !code) {
		cli_progress("path cost, folio %zuk: round %llu",
			     path->bench->src.folio_bytes >> 10,
			     (unsigned long long)rounds.nr_done);
		code = run_path(path, rounds_counted(&rounds));
		run_copies(path, rounds_counted(&rounds));
		run_cpu_engine(path, rounds_counted(&rounds));
	}
	return code;
}

static void add_row(struct table *table, const struct path *path)
{
	double folio_bytes = (double)path->bench->src.folio_bytes;
	double per_gib = (double)(1UL << 30) / folio_bytes / 1e9; /* s of a GiB per ns of a folio */
	double path_ns = samples_median(&path->path_ns), copy_ns = samples_median(&path->copy_ns);

	table_row(table);
	table_text(table, COL_ENGINE, "%s", copy_options.engine);
	table_count(table, COL_FOLIO, (int64_t)path->bench->src.folio_bytes);
	table_count(table, COL_BATCH, path->batch_items);
	table_spread(table, COL_PATH_NS, path_ns, samples_mad(&path->path_ns));
	table_spread(table, COL_COPY_NS, copy_ns, samples_mad(&path->copy_ns));
	table_real(table, COL_RATIO, path_ns / copy_ns);
	table_spread(table, COL_PATH_CPU, path_ns * per_gib, samples_mad(&path->path_ns) * per_gib);
	table_spread(table, COL_ENGINE_CPU, samples_median(&path->engine_ns) * per_gib,
		     samples_mad(&path->engine_ns) * per_gib);
	table_text(table, COL_KERNEL, "%s",
		   copy_kernel_best(path->bench->src.folio_bytes, 1)->name);
	table_count(table, COL_ROUNDS, path->path_ns.nr);
}

static uint32_t choose_batch(const struct copy_bench *bench, uint64_t batch_bytes)
{
	uint64_t nr = batch_bytes ? batch_bytes / bench->src.folio_bytes : BATCH_ITEMS_DEFAULT;

	return (uint32_t)MIN(MAX(nr, 1UL), MIN(bench->nr_items, (uint64_t)BATCH_ITEMS_MAX));
}

/* batch_bytes 0: the default. 0 or an exit code. */
static int bench_batch(struct copy_bench *bench, struct table *table, uint64_t batch_bytes)
{
	struct path path = {.bench = bench};
	int code = copy_open_engine(bench, &path.device, copy_options.engine, 1);

	if (!code)
		code = copy_open_engine(bench, &path.cpu, "cpu:threads=1", 1);
	path.batch_items = choose_batch(bench, batch_bytes);
	if (!code)
		code = measure(&path);
	if (!code)
		add_row(table, &path);
	if (path.device.engine)
		counters_add_engine(&bench->counters, path.device.engine);
	engine_run_close(&path.device);
	engine_run_close(&path.cpu);
	samples_free(&path.path_ns);
	samples_free(&path.copy_ns);
	samples_free(&path.engine_ns);
	return code;
}

static int bench_folio(struct copy_bench *bench, struct table *table, size_t folio_bytes)
{
	int code = copy_open_folio(bench, folio_bytes);

	if (!code && !copy_options.batches.nr)
		code = bench_batch(bench, table, 0);
	for (unsigned int i = 0; i < copy_options.batches.nr && !code; i++)
		code = bench_batch(bench, table, copy_options.batches.v[i]);
	copy_close_folio(bench);
	return code;
}

int copy_path(struct copy_bench *bench)
{
	struct uint_list folios = copy_options.folios;
	struct table *table = report_table(
		&bench->report, "path_cost",
		"Path cost: CPU time of one thread for folios prepared, submitted and reaped",
		columns, ARRAY_SIZE(columns));
	int code = CLI_OK;

	if (copy_options.output.plot)
		return cli_usage_error("--plot: a device that copies nothing has nothing to draw");
	if (!folios.nr)
		folios = (struct uint_list){{PAGE_BYTES}, 1};
	for (unsigned int i = 0; i < folios.nr && !code; i++)
		code = bench_folio(bench, table, folios.v[i]);
	report_note(&bench->report,
		    "%s says yes at once and copies nothing: there is no rate, and there were no "
		    "bytes to check.",
		    copy_options.engine);
	report_note(&bench->report,
		    "ns/CPU COPY: one plain loop by KERNEL over the same folios in the same run. "
		    "BY CPU ENGINE: CPU s/GiB of the cpu engine with one thread.");
	return code;
}
