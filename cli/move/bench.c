// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "cli/common/common.h"
#include "cli/move/batch.h"
#include "cli/move/bench.h"
#include "cli/move/options.h"
#include "cli/move/stall.h"
#include "cli/move/table.h"

struct folio_bench {
	struct move_session *session;
	struct subject subject;
	struct area limit_src, limit_dst;
	struct limit limit;
	struct move_row *rows;
	unsigned int nr_rows;
	char folio[SIZE_TEXT_BYTES];
};

/* One row per variant; for jobs, one per variant and number of workers. */
static void bench_make_rows(struct folio_bench *bench)
{
	const struct variant_list *variants = &bench->session->variants;
	const struct uint_list *workers = &bench->session->workers;

	bench->nr_rows = 0;
	bench->rows = cli_alloc(NR_VARIANTS * (size_t)LIST_MAX, sizeof(*bench->rows));
	for (unsigned int i = 0; i < variants->nr; i++) {
		enum variant variant = variants->v[i];
		/* By default, auto measures the policy: it chooses the number too. */
		bool is_policys = variant == VARIANT_AUTO && !move_options.workers.nr;
		bool has_number = variant_is_job(variant) && !is_policys;

		for (unsigned int w = 0; w < (has_number ? workers->nr : 1); w++) {
			struct move_row *row = &bench->rows[bench->nr_rows++];

			row->variant = variant;
			row->moved_part = 1;
			if (has_number)
				row->nr_workers = (unsigned int)workers->v[w];
			else if (variant == VARIANT_SYSCALL)
				row->nr_workers = 1;
			row->predicted_gb_per_s =
				prediction_gb_per_s(&bench->session->prediction, variant,
						    bench->subject.area.kind == FOLIO_GROUP
							    ? PAGE_BYTES
							    : bench->subject.area.folio_bytes,
						    row->nr_workers);
		}
	}
}

/* A job that succeeds and moves nothing: this variant cannot move these pages here. */
static bool outcome_moved_nothing(const struct outcome *outcome, bool fresh)
{
	if (!outcome->has_result || outcome->result.nr_moved)
		return false;
	cli_error("no page was moved%s; `migbench doctor` shows the cause",
		  fresh ? ": the exchange mover is not usable here" : "");
	return true;
}

static bool measures_row_by_row(void)
{
	return move_options.order && !strcmp(move_options.order, "rows");
}

/* Moves all pages to the other node and back; within one node, once. 0 or an exit code. */
static int row_run(struct folio_bench *bench, struct move_row *row, bool counted)
{
	struct move_session *session = bench->session;
	struct subject *subject = &bench->subject;
	unsigned int nr_moves = subject->fresh ? 1 : 2;

	for (unsigned int i = 0; i < nr_moves; i++) {
		const struct migration migration = {
			.variant = row->variant,
			.nr_workers = row->nr_workers,
			.nr = subject->nr_pages,
			.end = !subject->at,
		};
		struct outcome outcome;
		int err;

		busy_begin(session->busy);
		err = migration_run(subject, session->ferry, &migration, &outcome);
		busy_end(session->busy);
		if (err)
			return CLI_FAILED;
		if (outcome_moved_nothing(&outcome, subject->fresh))
			return CLI_UNSUPPORTED;
		subject->at = migration.end;
		if (counted)
			move_row_add(row, &outcome, subject_bytes(subject));
		if (!measures_row_by_row() && migration_check(subject, row->variant))
			return CLI_FAILED;
	}
	return CLI_OK;
}

/* The rows alternate. 0 or an exit code. */
static int bench_measure_turns(struct folio_bench *bench, struct move_row *rows,
			       unsigned int nr_rows)
{
	struct rounds rounds;

	rounds_begin(&rounds, &move_options.rounds, nr_rows);
	while (rounds_next(&rounds)) {
		cli_progress("folio %s, round %llu", bench->folio,
			     (unsigned long long)rounds.nr_done);
		if (!move_options.no_limit && !measures_row_by_row())
			limit_round(&bench->limit);
		for (unsigned int i = 0; i < nr_rows; i++) {
			int code = row_run(bench, &rows[i], rounds_counted(&rounds));

			if (code)
				return code;
		}
	}
	return CLI_OK;
}

static void bench_measure_limit(struct folio_bench *bench)
{
	struct rounds rounds;

	rounds_begin(&rounds, &move_options.rounds, 1);
	while (rounds_next(&rounds))
		limit_round(&bench->limit);
}

/* One row after another, each checked at its end. 0 or an exit code. */
static int bench_measure_row_by_row(struct folio_bench *bench)
{
	if (!move_options.no_limit)
		bench_measure_limit(bench);
	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		int code = bench_measure_turns(bench, &bench->rows[i], 1);

		if (code)
			return code;
		if (migration_check(&bench->subject, bench->rows[i].variant))
			return CLI_FAILED;
	}
	return CLI_OK;
}

/* 0 or an exit code. */
static int bench_measure_stall(struct folio_bench *bench)
{
	struct subject *subject = &bench->subject;

	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		struct move_row *row = &bench->rows[i];

		cli_progress("folio %s, stall by %s", bench->folio, variant_name(row->variant));
		if (move_stall(subject, bench->session->ferry, row) ||
		    migration_check(subject, row->variant))
			return CLI_FAILED;
	}
	return CLI_OK;
}

/* 0 or an exit code. */
static int bench_measure(struct folio_bench *bench)
{
	struct move_session *session = bench->session;
	int code = measures_row_by_row() ? bench_measure_row_by_row(bench)
					 : bench_measure_turns(bench, bench->rows, bench->nr_rows);

	if (!code && move_options.stall)
		code = bench_measure_stall(bench);
	if (!code && session->batches &&
	    move_batches(&bench->subject, session->ferry, &session->variants, session->batches))
		code = CLI_FAILED;
	return code;
}

static void bench_report(struct folio_bench *bench)
{
	const struct limit_candidate *limit =
		move_options.no_limit ? NULL : limit_best(&bench->limit);
	const struct area *area = &bench->subject.area;
	struct report *report = &bench->session->report;
	double kernel_rate = 0;

	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		if (bench->rows[i].variant == VARIANT_SYSCALL)
			kernel_rate = samples_median(&bench->rows[i].gb_per_s);
	}
	for (unsigned int i = 0; i < bench->nr_rows; i++)
		move_table_add(bench->session->results, &bench->subject, &bench->rows[i], limit,
			       kernel_rate);
	if (area->kind == FOLIO_GROUP)
		report_note(report,
			    "%s: the kernel allocates no folios of this size here; consecutive 4K "
			    "pages stand in for them. To enable the size: echo madvise > "
			    "/sys/kernel/mm/transparent_hugepage/hugepages-%zukB/enabled",
			    bench->folio, area->folio_bytes >> 10);
	if (area_is_split(area))
		report_note(report,
			    "%s: the kernel split the folios when it moved them; most of what was "
			    "measured are 4K pages.",
			    bench->folio);
}

/* 0 or an exit code. Needs bench_close() in either case. */
static int bench_open(struct folio_bench *bench, size_t folio_bytes)
{
	const int *node = bench->session->node;
	uint64_t total_bytes = move_options.total_bytes;
	int err = subject_open(&bench->subject, folio_bytes, node);

	size_text(folio_bytes, bench->folio);
	if (!err && !move_options.no_limit)
		err = area_open(&bench->limit_src, total_bytes, folio_bytes, node[0]);
	if (!err && !move_options.no_limit)
		err = area_open(&bench->limit_dst, total_bytes, folio_bytes, node[1]);
	if (err) {
		cli_error("--total: cannot map the memory on nodes %d and %d (%s); try a smaller "
			  "size",
			  node[0], node[1], strerror(-err));
		return CLI_FAILED;
	}
	if (!move_options.no_limit)
		limit_open(&bench->limit, bench->session->loops, &bench->limit_dst,
			   &bench->limit_src);
	bench_make_rows(bench);
	return CLI_OK;
}

static void bench_close(struct folio_bench *bench)
{
	for (unsigned int i = 0; i < bench->nr_rows; i++)
		move_row_free(&bench->rows[i]);
	free(bench->rows);
	limit_close(&bench->limit);
	area_close(&bench->limit_src);
	area_close(&bench->limit_dst);
	subject_close(&bench->subject);
}

int move_bench_folio(struct move_session *session, size_t folio_bytes)
{
	struct folio_bench *bench = cli_alloc(1, sizeof(*bench));
	int code;

	bench->session = session;
	code = bench_open(bench, folio_bytes);
	if (!code)
		code = bench_measure(bench);
	if (!code)
		bench_report(bench);
	bench_close(bench);
	free(bench);
	return code;
}
