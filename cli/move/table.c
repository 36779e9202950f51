// SPDX-License-Identifier: LGPL-2.1-or-later
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/common.h"
#include "cli/move/options.h"
#include "cli/move/table.h"

enum {
	COL_MOVER,
	COL_ENGINE,
	COL_FOLIO,
	COL_FOLIOS,
	COL_ORDER,
	COL_PROCESS,
	COL_WORKERS,
	COL_RATE,
	COL_PREDICTED,
	COL_NS,
	COL_VS_KERNEL,
	COL_LIMIT,
	COL_RATIO,
	COL_CPU,
	COL_WORKER_CPU,
	COL_FIRST,
	COL_MAX_STALL,
	COL_FAULTS,
	COL_FRAMES,
	COL_MOVED,
	COL_BY_EXCHANGE,
	COL_BY_KERNEL,
	COL_REASON,
	COL_STALL_P50,
	COL_STALL_P99,
	COL_STALL_P9999,
	COL_STALL_MAX,
	COL_READER_P50,
	COL_READER_P99,
	COL_READER_P9999,
	COL_READER_MAX,
	COL_WRITER_P50,
	COL_WRITER_P99,
	COL_WRITER_P9999,
	COL_WRITER_MAX,
	COL_TOTAL,
	COL_CHUNK,
	COL_FROM,
	COL_TO,
	COL_ROUNDS,
	COL_LIMIT_KERNEL,
	COL_LIMIT_THREADS,
};

static const struct column columns[] = {
	[COL_MOVER] = {"mover", "MOVER", COLUMN_TEXT, 0, false},
	[COL_ENGINE] = {"engine", "ENGINE", COLUMN_TEXT, 0, true},
	[COL_FOLIO] = {"folio_bytes", "FOLIO", COLUMN_BYTES, 0, false},
	[COL_FOLIOS] = {"folios", "MADE OF", COLUMN_TEXT, 0, false},
	[COL_ORDER] = {"order", "ORDER", COLUMN_TEXT, 0, true},
	[COL_PROCESS] = {"process", "", COLUMN_TEXT, 0, true},
	[COL_WORKERS] = {"workers", "WORKERS", COLUMN_COUNT, 0, false},
	[COL_RATE] = {"gb_per_s", "GB/s", COLUMN_REAL, 2, false},
	[COL_PREDICTED] = {"predicted_gb_per_s", "PREDICTED", COLUMN_REAL, 2, false},
	[COL_NS] = {"ns_per_4k", "ns/4K", COLUMN_REAL, 0, false},
	[COL_VS_KERNEL] = {"vs_kernel", "x KERNEL", COLUMN_REAL, 2, false},
	[COL_LIMIT] = {"limit_gb_per_s", "LIMIT GB/s", COLUMN_REAL, 2, false},
	[COL_RATIO] = {"limit_ratio", "OF LIMIT", COLUMN_REAL, 2, false},
	[COL_CPU] = {"cpu_s_per_gib", "CPU s/GiB", COLUMN_REAL, 3, false},
	[COL_WORKER_CPU] = {"worker_cpu_s_per_gib", "", COLUMN_REAL, 3, true},
	[COL_FIRST] = {"first_us", "", COLUMN_REAL, 1, true},
	[COL_MAX_STALL] = {"max_stall_us", "STALL us", COLUMN_REAL, 0, false},
	[COL_FAULTS] = {"page_faults", "FAULTS", COLUMN_COUNT, 0, false},
	[COL_FRAMES] = {"frames_made", "NEW FRAMES", COLUMN_COUNT, 0, false},
	[COL_MOVED] = {"moved_part", "PART MOVED", COLUMN_REAL, 3, false},
	[COL_BY_EXCHANGE] = {"pages_by_exchange", "", COLUMN_COUNT, 0, true},
	[COL_BY_KERNEL] = {"pages_by_kernel", "BY KERNEL", COLUMN_COUNT, 0, false},
	[COL_REASON] = {"main_reason", "BECAUSE", COLUMN_TEXT, 0, false},
	[COL_STALL_P50] = {"stall_us.p50", "", COLUMN_REAL, 2, true},
	[COL_STALL_P99] = {"stall_us.p99", "STALL us p99", COLUMN_REAL, 1, false},
	[COL_STALL_P9999] = {"stall_us.p9999", "p99.99", COLUMN_REAL, 0, false},
	[COL_STALL_MAX] = {"stall_us.max", "max", COLUMN_REAL, 0, false},
	[COL_READER_P50] = {"stall_us.reader.p50", "", COLUMN_REAL, 2, true},
	[COL_READER_P99] = {"stall_us.reader.p99", "", COLUMN_REAL, 1, true},
	[COL_READER_P9999] = {"stall_us.reader.p9999", "", COLUMN_REAL, 0, true},
	[COL_READER_MAX] = {"stall_us.reader.max", "", COLUMN_REAL, 0, true},
	[COL_WRITER_P50] = {"stall_us.writer.p50", "", COLUMN_REAL, 2, true},
	[COL_WRITER_P99] = {"stall_us.writer.p99", "", COLUMN_REAL, 1, true},
	[COL_WRITER_P9999] = {"stall_us.writer.p9999", "", COLUMN_REAL, 0, true},
	[COL_WRITER_MAX] = {"stall_us.writer.max", "", COLUMN_REAL, 0, true},
	[COL_TOTAL] = {"total_bytes", "", COLUMN_BYTES, 0, true},
	[COL_CHUNK] = {"chunk_bytes", "CHUNK", COLUMN_BYTES, 0, true},
	[COL_FROM] = {"from_node", "", COLUMN_COUNT, 0, true},
	[COL_TO] = {"to_node", "", COLUMN_COUNT, 0, true},
	[COL_ROUNDS] = {"rounds", "ROUNDS", COLUMN_COUNT, 0, true},
	[COL_LIMIT_KERNEL] = {"limit_kernel", "", COLUMN_TEXT, 0, true},
	[COL_LIMIT_THREADS] = {"limit_threads", "", COLUMN_COUNT, 0, true},
};

struct table *move_table(struct report *report)
{
	return report_table(report, "results", NULL, columns, ARRAY_SIZE(columns));
}

static void table_set_spread(struct table *table, unsigned int column,
			     const struct samples *samples)
{
	if (samples->nr)
		table_spread(table, column, samples_median(samples), samples_mad(samples));
}

static void table_set_quantiles(struct table *table, unsigned int first, const struct hist *hist)
{
	static const double parts[] = {0.5, 0.99, 0.9999};

	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
		table_real(table, first + i, (double)hist_quantile(hist, parts[i]) / 1e3);
	table_real(table, first + ARRAY_SIZE(parts), (double)hist->max / 1e3);
}

static void table_set_stall(struct table *table, const struct move_row *row)
{
	struct hist *both;

	if (!row->reader || !row->reader->nr || !row->writer->nr)
		return;
	both = cli_alloc(1, sizeof(*both));
	hist_merge(both, row->reader);
	hist_merge(both, row->writer);
	table_set_quantiles(table, COL_STALL_P50, both);
	table_set_quantiles(table, COL_READER_P50, row->reader);
	table_set_quantiles(table, COL_WRITER_P50, row->writer);
	free(both);
}

/* The most frequent reason why pages fell back to the kernel mover. */
static void table_set_reason(struct table *table, const struct move_row *row)
{
	unsigned int most = FERRY_REASON_NONE;

	for (unsigned int i = 1; i < FERRY_NR_REASONS; i++) {
		if (row->pages_by_reason[i] > (most ? row->pages_by_reason[most] : 0))
			most = i;
	}
	table_count(table, COL_BY_EXCHANGE, (int64_t)row->pages_by_mover[FERRY_MOVER_EXCHANGE]);
	table_count(table, COL_BY_KERNEL, (int64_t)row->pages_by_mover[FERRY_MOVER_KERNEL]);
	if (most && row->variant != VARIANT_KERNEL)
		table_text(table, COL_REASON, "%s", ferry_reason_name(most));
}

static void table_set_subject(struct table *table, const struct subject *subject)
{
	table_count(table, COL_FOLIO, (int64_t)subject->area.folio_bytes);
	table_text(table, COL_FOLIOS, "%s", folio_kind_name(subject->area.kind));
	table_text(table, COL_ORDER, "%s", move_options.scattered ? "scattered" : "contiguous");
	table_text(table, COL_PROCESS, "%s", subject->holder.pid ? "other" : "own");
	table_count(table, COL_TOTAL, (int64_t)subject_bytes(subject));
	table_count(table, COL_FROM, subject->node[0]);
	table_count(table, COL_TO, subject->node[1]);
	if (move_options.chunk_bytes)
		table_count(table, COL_CHUNK, (int64_t)move_options.chunk_bytes);
}

void move_table_add(struct table *table, const struct subject *subject, const struct move_row *row,
		    const struct limit_candidate *limit, double kernel_gb_per_s)
{
	double rate = samples_median(&row->gb_per_s);

	table_row(table);
	table_set_subject(table, subject);
	table_text(table, COL_MOVER, "%s", variant_name(row->variant));
	if (row->variant != VARIANT_SYSCALL && row->variant != VARIANT_KERNEL)
		table_text(table, COL_ENGINE, "%s",
			   move_options.engine ? move_options.engine : "auto");
	if (row->nr_workers)
		table_count(table, COL_WORKERS, row->nr_workers);
	table_set_spread(table, COL_RATE, &row->gb_per_s);
	if (row->predicted_gb_per_s > 0)
		table_real(table, COL_PREDICTED, row->predicted_gb_per_s);
	table_real(table, COL_NS, PAGE_BYTES / rate);
	if (kernel_gb_per_s > 0)
		table_real(table, COL_VS_KERNEL, rate / kernel_gb_per_s);
	if (limit) {
		double limit_rate = samples_median(&limit->gb_per_s);

		table_spread(table, COL_LIMIT, limit_rate, samples_mad(&limit->gb_per_s));
		table_real(table, COL_RATIO, rate / limit_rate);
		table_text(table, COL_LIMIT_KERNEL, "%s", limit->kernel->name);
		table_count(table, COL_LIMIT_THREADS, limit->nr_threads);
	}
	table_set_spread(table, COL_CPU, &row->cpu_s_per_gib);
	table_set_spread(table, COL_WORKER_CPU, &row->worker_s_per_gib);
	table_set_spread(table, COL_FIRST, &row->first_us);
	if (row->inflight_us.nr)
		table_real(table, COL_MAX_STALL, samples_max(&row->inflight_us));
	table_count(table, COL_FAULTS, llround(samples_median(&row->faults)));
	if (row->frames.nr) {
		table_count(table, COL_FRAMES, llround(samples_median(&row->frames)));
		table_set_reason(table, row);
	}
	if (row->moved_part < 1)
		table_real(table, COL_MOVED, row->moved_part);
	table_set_stall(table, row);
	table_count(table, COL_ROUNDS, row->gb_per_s.nr);
}

double move_table_best_limit(const struct table *table)
{
	double best = 0;

	for (unsigned int row = 0; row < table->nr_rows; row++)
		best = fmax(best, table_cell(table, row, COL_LIMIT)->real);
	return best;
}

static void row_series_name(const struct table *table, unsigned int row, char *buf,
			    size_t buf_bytes)
{
	const struct cell *workers = table_cell(table, row, COL_WORKERS);
	const char *mover = table_cell(table, row, COL_MOVER)->text;

	if (!strcmp(mover, "syscall"))
		snprintf(buf, buf_bytes, "kernel's move_pages()");
	else if (!workers->set)
		snprintf(buf, buf_bytes, "pageferry %s", mover);
	else
		snprintf(buf, buf_bytes, "pageferry %s, %d worker%s", mover, (int)workers->count,
			 workers->count == 1 ? "" : "s");
}

void move_table_draw(const struct table *table, struct plot *plot)
{
	for (unsigned int row = 0; row < table->nr_rows; row++) {
		const struct cell *rate = table_cell(table, row, COL_RATE);
		const struct cell *limit = table_cell(table, row, COL_LIMIT);
		char group[SIZE_TEXT_BYTES], series[64];

		size_text((uint64_t)table_cell(table, row, COL_FOLIO)->count, group);
		row_series_name(table, row, series, sizeof(series));
		plot_add(plot, group, series, rate->real, rate->spread);
		if (limit->set)
			plot_limit(plot, group, limit->real);
	}
}
