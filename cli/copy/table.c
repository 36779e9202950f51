// SPDX-License-Identifier: LGPL-2.1-or-later
/* The rows of migbench copy, and their bars. */
#include <stdio.h>
#include <string.h>

#include "cli/copy/internal.h"

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

struct table *copy_table(struct report *report)
{
	return report_table(report, "results", NULL, columns, ARRAY_SIZE(columns));
}

double copy_table_best_limit(const struct table *table)
{
	double best = 0;

	for (unsigned int row = 0; row < table->nr_rows; row++)
		best = MAX(best, table_cell(table, row, COL_LIMIT)->real);
	return best;
}

static const char *kernel_name(const struct copy_bench *bench, const struct copy_config *config)
{
	if (config->kernel)
		return config->kernel;
	return copy_kernel_best(bench->src.folio_bytes, config->nr_threads)->name;
}

static void add_bar(struct copy_bench *bench, const struct copy_config *config, double rate,
		    double limit_rate)
{
	char group[SIZE_TEXT_BYTES], series[64];

	size_text(bench->src.folio_bytes, group);
	snprintf(series, sizeof(series), "%s%s%s, %u thread%s", copy_options.engine,
		 config->kernel ? " " : "", config->kernel ? config->kernel : "",
		 config->nr_threads, config->nr_threads == 1 ? "" : "s");
	if (bench->batches.nr > 1) {
		char batch[SIZE_TEXT_BYTES];
		size_t len = strlen(series);

		snprintf(series + len, sizeof(series) - len, ", batch %s",
			 size_text(config->batch_bytes, batch));
	}
	plot_add(&bench->plot, group, series, rate, samples_mad(&config->gb_per_s));
	plot_limit(&bench->plot, group, limit_rate);
}

void copy_table_add(struct copy_bench *bench, const struct copy_config *config)
{
	const struct limit_candidate *limit = limit_best(&bench->limit);
	double limit_rate = samples_median(&limit->gb_per_s);
	double rate = samples_median(&config->gb_per_s);
	struct table *table = bench->results;

	table_row(table);
	table_count(table, COL_FOLIO, (int64_t)bench->src.folio_bytes);
	table_text(table, COL_FOLIOS, "%s", folio_kind_name(bench->src.kind));
	table_text(table, COL_ORDER, "%s", copy_options.scattered ? "scattered" : "contiguous");
	table_text(table, COL_ENGINE, "%s", copy_options.engine);
	if (copy_by_cpu())
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
	add_bar(bench, config, rate, limit_rate);
}
