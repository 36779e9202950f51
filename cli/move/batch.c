// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/common/common.h"
#include "cli/measure/measure.h"
#include "cli/move/batch.h"
#include "cli/move/options.h"

enum {
	COL_MOVER,
	COL_FOLIO,
	COL_FOLIOS,
	COL_BATCH,
	COL_FIRST,
	COL_WHOLE,
	COL_RATE,
	COL_NS,
	COL_VS_KERNEL,
	COL_ROUNDS,
};

static const struct column columns[] = {
	[COL_MOVER] = {"mover", "MOVER", COLUMN_TEXT, 0, false},
	[COL_FOLIO] = {"folio_bytes", "FOLIO", COLUMN_BYTES, 0, false},
	[COL_FOLIOS] = {"folios", "MADE OF", COLUMN_TEXT, 0, false},
	[COL_BATCH] = {"batch_bytes", "REQUEST", COLUMN_BYTES, 0, false},
	[COL_FIRST] = {"first_us", "FIRST PAGE us", COLUMN_REAL, 1, false},
	[COL_WHOLE] = {"whole_us", "WHOLE us", COLUMN_REAL, 1, false},
	[COL_RATE] = {"gb_per_s", "GB/s", COLUMN_REAL, 2, false},
	[COL_NS] = {"ns_per_4k", "ns/4K", COLUMN_REAL, 0, false},
	[COL_VS_KERNEL] = {"vs_kernel", "x KERNEL", COLUMN_REAL, 2, false},
	[COL_ROUNDS] = {"rounds", "ROUNDS", COLUMN_COUNT, 0, true},
};

struct batch_samples {
	struct samples first_us, whole_us;
};

struct batch_bench {
	struct subject *subject;
	struct ferry *ferry;
	const struct variant_list *variants;
	struct table *table;
	/* for the current request size */
	size_t batch_bytes;
	struct batch_samples samples[NR_VARIANTS];
};

struct table *move_batch_table(struct report *report)
{
	return report_table(report, "batches", "By size of one request", columns,
			    ARRAY_SIZE(columns));
}

/*
 * Moves nr pages to the other node and back, so that all pages of the subject stay together.
 * samples: NULL if the round does not count.
 */
static int batch_move(const struct batch_bench *bench, enum variant variant, uint32_t first,
		      uint32_t nr, struct batch_samples *samples)
{
	unsigned int at = bench->subject->at;
	int err = 0;

	for (unsigned int i = 0; i < 2 && !err; i++) {
		const struct migration migration = {
			.variant = variant, .first = first, .nr = nr, .end = i ? at : !at};
		struct outcome outcome;

		err = migration_run(bench->subject, bench->ferry, &migration, &outcome);
		if (err || !samples)
			continue;
		samples_add(&samples->whole_us, (double)outcome.ns / 1e3);
		if (outcome.has_result)
			samples_add(&samples->first_us, (double)outcome.result.first_page_ns / 1e3);
	}
	return err;
}

/* Each round moves the next part of the subject, with each variant in turn. */
static int batch_measure(struct batch_bench *bench)
{
	uint32_t nr = (uint32_t)(bench->batch_bytes / bench->subject->step_bytes);
	uint32_t nr_parts = bench->subject->nr_pages / nr;
	struct rounds rounds;
	int err = 0;

	rounds_begin(&rounds, &move_options.rounds, bench->variants->nr);
	while (!err && rounds_next(&rounds)) {
		uint32_t first = (uint32_t)(rounds.nr_done % nr_parts) * nr;

		for (unsigned int i = 0; i < bench->variants->nr && !err; i++)
			err = batch_move(bench, bench->variants->v[i], first, nr,
					 rounds_counted(&rounds) ? &bench->samples[i] : NULL);
	}
	return err;
}

static void batch_add_row(const struct batch_bench *bench, enum variant variant,
			  const struct batch_samples *samples, double kernel_us)
{
	const struct area *area = &bench->subject->area;
	double whole_us = samples_median(&samples->whole_us);
	double bytes = (double)bench->batch_bytes;
	struct table *table = bench->table;

	table_row(table);
	table_text(table, COL_MOVER, "%s", variant_name(variant));
	table_count(table, COL_FOLIO, (int64_t)area->folio_bytes);
	table_text(table, COL_FOLIOS, "%s", folio_kind_name(area->kind));
	table_count(table, COL_BATCH, (int64_t)bench->batch_bytes);
	if (samples->first_us.nr)
		table_spread(table, COL_FIRST, samples_median(&samples->first_us),
			     samples_mad(&samples->first_us));
	table_spread(table, COL_WHOLE, whole_us, samples_mad(&samples->whole_us));
	table_real(table, COL_RATE, bytes / whole_us / 1e3);
	table_real(table, COL_NS, whole_us * 1e3 * PAGE_BYTES / bytes);
	if (kernel_us > 0)
		table_real(table, COL_VS_KERNEL, kernel_us / whole_us);
	table_count(table, COL_ROUNDS, samples->whole_us.nr);
}

static void batch_add_rows(const struct batch_bench *bench)
{
	const struct variant_list *variants = bench->variants;
	double kernel_us = 0;

	for (unsigned int i = 0; i < variants->nr; i++) {
		if (variants->v[i] == VARIANT_SYSCALL)
			kernel_us = samples_median(&bench->samples[i].whole_us);
	}
	for (unsigned int i = 0; i < variants->nr; i++)
		batch_add_row(bench, variants->v[i], &bench->samples[i], kernel_us);
}

static int batch_run(struct batch_bench *bench)
{
	int err = batch_measure(bench);

	if (!err)
		batch_add_rows(bench);
	for (unsigned int i = 0; i < NR_VARIANTS; i++) {
		samples_free(&bench->samples[i].first_us);
		samples_free(&bench->samples[i].whole_us);
	}
	return err;
}

int move_batches(struct subject *subject, struct ferry *ferry, const struct variant_list *variants,
		 struct table *table)
{
	struct batch_bench bench = {
		.subject = subject, .ferry = ferry, .variants = variants, .table = table};
	size_t folio_bytes = subject->area.folio_bytes;
	int err = 0;

	for (unsigned int i = 0; i < move_options.batches.nr && !err; i++) {
		char folio[SIZE_TEXT_BYTES], batch[SIZE_TEXT_BYTES];

		bench.batch_bytes = ALIGN_DOWN(move_options.batches.v[i], folio_bytes);
		/* A request is at least a folio, which a smaller one would split. */
		if (bench.batch_bytes < folio_bytes || bench.batch_bytes > subject_bytes(subject))
			continue;
		cli_progress("folio %s, request %s", size_text(folio_bytes, folio),
			     size_text(bench.batch_bytes, batch));
		err = batch_run(&bench);
	}
	return err ? err : migration_check_content(subject, "wrong content");
}
