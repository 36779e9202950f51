// SPDX-License-Identifier: LGPL-2.1-or-later
/* How soon the first page of a request is in place, and the whole, by the request's size. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/move/internal.h"

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

struct cell_samples {
	struct samples first_us, whole_us;
};

struct table *move_batch_table(struct report *report)
{
	return report_table(report, "batches", "By size of one request", columns,
			    ARRAY_SIZE(columns));
}

/* There and back, so that the subject stays whole on one end. */
static int move_window(struct subject *subject, struct ferry *ferry, enum way way, uint32_t first,
		       uint32_t nr, struct cell_samples *samples)
{
	int err = 0;

	for (unsigned int leg = 0; leg < 2 && !err; leg++) {
		unsigned int end = leg ? subject->at : !subject->at;
		struct outcome outcome;

		err = subject_move(subject, ferry, way, 0, first, nr, end, &outcome);
		if (err || !samples)
			continue;
		samples_add(&samples->whole_us, (double)outcome.ns / 1e3);
		if (outcome.has_result)
			samples_add(&samples->first_us, (double)outcome.result.first_ns / 1e3);
	}
	return err;
}

/* Each round takes the next window of the subject, by each way in turn. */
static int measure(struct subject *subject, struct ferry *ferry, const enum way *ways,
		   unsigned int nr_ways, uint32_t nr, struct cell_samples *samples)
{
	uint32_t nr_windows = subject->nr_pages / nr;
	struct rounds rounds;
	int err = 0;

	rounds_begin(&rounds, &move_options.rounds, nr_ways);
	while (!err && rounds_next(&rounds)) {
		uint32_t first = (uint32_t)(rounds.nr_done % nr_windows) * nr;

		for (unsigned int i = 0; i < nr_ways && !err; i++)
			err = move_window(subject, ferry, ways[i], first, nr,
					  rounds_counted(&rounds) ? &samples[i] : NULL);
	}
	return err;
}

static void add_row(struct table *table, const struct subject *subject, enum way way,
		    size_t batch_bytes, const struct cell_samples *samples, double kernel_us)
{
	double whole_us = samples_median(&samples->whole_us);

	table_row(table);
	table_text(table, COL_MOVER, "%s", way_name(way));
	table_count(table, COL_FOLIO, (int64_t)subject->area.folio_bytes);
	table_text(table, COL_FOLIOS, "%s", folio_kind_name(subject->area.kind));
	table_count(table, COL_BATCH, (int64_t)batch_bytes);
	if (samples->first_us.nr)
		table_spread(table, COL_FIRST, samples_median(&samples->first_us),
			     samples_mad(&samples->first_us));
	table_spread(table, COL_WHOLE, whole_us, samples_mad(&samples->whole_us));
	table_real(table, COL_RATE, (double)batch_bytes / whole_us / 1e3);
	table_real(table, COL_NS, whole_us * 1e3 * PAGE_BYTES / (double)batch_bytes);
	if (kernel_us > 0)
		table_real(table, COL_VS_KERNEL, kernel_us / whole_us);
	table_count(table, COL_ROUNDS, samples->whole_us.nr);
}

static int one_batch(struct subject *subject, struct ferry *ferry, const enum way *ways,
		     unsigned int nr_ways, size_t batch_bytes, struct table *table)
{
	struct cell_samples samples[NR_WAYS] = {0};
	uint32_t nr = (uint32_t)(batch_bytes / subject->step_bytes);
	double kernel_us = 0;
	int err = measure(subject, ferry, ways, nr_ways, nr, samples);

	for (unsigned int i = 0; i < nr_ways && !err; i++) {
		if (ways[i] == WAY_SYSCALL)
			kernel_us = samples_median(&samples[i].whole_us);
	}
	for (unsigned int i = 0; i < nr_ways; i++) {
		if (!err)
			add_row(table, subject, ways[i], batch_bytes, &samples[i], kernel_us);
		samples_free(&samples[i].first_us);
		samples_free(&samples[i].whole_us);
	}
	return err;
}

int move_batches(struct subject *subject, struct ferry *ferry, const enum way *ways,
		 unsigned int nr_ways, struct table *table)
{
	int err = 0;

	for (unsigned int i = 0; i < move_options.batches.nr && !err; i++) {
		size_t batch_bytes =
			ALIGN_DOWN(move_options.batches.v[i], subject->area.folio_bytes);
		char folio[SIZE_TEXT_BYTES], batch[SIZE_TEXT_BYTES];

		/* Less than a folio would split it; more than there is can't be asked. */
		if (batch_bytes < subject->area.folio_bytes || batch_bytes > subject_bytes(subject))
			continue;
		cli_progress("folio %s, request %s", size_text(subject->area.folio_bytes, folio),
			     size_text(batch_bytes, batch));
		err = one_batch(subject, ferry, ways, nr_ways, batch_bytes, table);
	}
	return err ? err : subject_check(subject, NULL);
}
