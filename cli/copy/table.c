// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <string.h>

#include "cli/copy/options.h"
#include "cli/copy/table.h"

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

static void row_series_name(const struct table *table, unsigned int row, char *buf,
			    size_t buf_bytes)
{
	int nr_threads = (int)table_cell(table, row, COL_WORKERS)->count;
	const struct cell *kernel = table_cell(table, row, COL_KERNEL);
	bool names_kernel = kernel->set && strcmp(kernel->text, "auto");
	size_t len;

	snprintf(buf, buf_bytes, "%s%s%s, %d thread%s", table_cell(table, row, COL_ENGINE)->text,
		 names_kernel ? " " : "", names_kernel ? kernel->text : "", nr_threads,
		 nr_threads == 1 ? "" : "s");
	if (copy_options.batches.nr > 1) {
		char batch[SIZE_TEXT_BYTES];

		len = strlen(buf);
		snprintf(buf + len, buf_bytes - len, ", batch %s",
			 size_text((uint64_t)table_cell(table, row, COL_BATCH)->count, batch));
	}
}

void copy_table_draw(const struct table *table, struct plot *plot)
{
	for (unsigned int row = 0; row < table->nr_rows; row++) {
		const struct cell *rate = table_cell(table, row, COL_RATE);
		char group[SIZE_TEXT_BYTES], series[64];

		size_text((uint64_t)table_cell(table, row, COL_FOLIO)->count, group);
		row_series_name(table, row, series, sizeof(series));
		plot_add(plot, group, series, rate->real, rate->spread);
		plot_limit(plot, group, table_cell(table, row, COL_LIMIT)->real);
	}
}

static void table_set_spread(struct table *table, unsigned int column,
			     const struct samples *samples)
{
	table_spread(table, column, samples_median(samples), samples_mad(samples));
}

void copy_table_add(struct table *table, const struct copy_row *row,
		    const struct copy_reference *reference)
{
	const struct area *area = reference->area;
	const struct limit_candidate *limit = reference->limit;
	double rate = samples_median(&row->gb_per_s);

	table_row(table);
	table_count(table, COL_FOLIO, (int64_t)area->folio_bytes);
	table_text(table, COL_FOLIOS, "%s", folio_kind_name(area->kind));
	table_text(table, COL_ORDER, "%s", copy_options.scattered ? "scattered" : "contiguous");
	table_text(table, COL_ENGINE, "%s", copy_options.engine);
	if (copy_uses_cpu_engine())
		table_text(table, COL_KERNEL, "%s", row->kernel ? row->kernel : "auto");
	table_count(table, COL_WORKERS, row->nr_threads);
	table_count(table, COL_BATCH, (int64_t)row->batch_bytes);
	table_set_spread(table, COL_RATE, &row->gb_per_s);
	table_real(table, COL_NS, PAGE_BYTES / rate);
	table_set_spread(table, COL_LIMIT, &limit->gb_per_s);
	table_real(table, COL_RATIO, rate / samples_median(&limit->gb_per_s));
	table_real(table, COL_VS_LOOP, rate / reference->loop_gb_per_s);
	table_set_spread(table, COL_CPU, &row->cpu_s_per_gib);
	if (row->nr_left)
		table_count(table, COL_LEFT, row->nr_left);
	table_count(table, COL_ROUNDS, row->gb_per_s.nr);
	table_text(table, COL_LIMIT_KERNEL, "%s", limit->kernel->name);
	table_count(table, COL_LIMIT_THREADS, limit->nr_threads);
}
