// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "cli/common/common.h"
#include "cli/context/context.h"
#include "cli/counters/counters.h"
#include "cli/machine/machine.h"
#include "cli/move/batch.h"
#include "cli/move/bench.h"
#include "cli/move/move.h"
#include "cli/move/options.h"
#include "cli/move/table.h"
#include "cli/plot/plot.h"

static void session_choose_workers(struct move_session *session)
{
	unsigned int nr_all = MIN(session->placement->nr_places, CONTEXT_DEFAULT_WORKERS_MAX);
	struct uint_list *workers = &session->workers;

	*workers = move_options.workers;
	if (workers->nr)
		return;
	workers->v[workers->nr++] = 1;
	if (nr_all > 1)
		workers->v[workers->nr++] = nr_all;
}

/* 0 or an exit code. */
static int session_open_context(struct move_session *session)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

	for (unsigned int i = 0; i < session->workers.nr; i++)
		options.nr_workers = MAX(options.nr_workers, (unsigned int)session->workers.v[i]);
	options.engine = move_options.engine;
	options.chunk_bytes = move_options.chunk_bytes;
	options.stall_bound_ns = move_options.stall_bound_ns;
	/* The pool keeps the frames that a move frees on a node: the move back needs them. */
	options.pool_cap_bytes = move_options.total_bytes + (256 << 20);
	return context_open(&options, &session->ferry);
}

/* 0 or an exit code. */
static int session_open(struct move_session *session)
{
	int code = machine_choose_nodes(move_options.from, move_options.to, move_options.fresh,
					session->node);

	if (!code)
		code = variants_choose(&session->report, session->node, &session->variants);
	if (code)
		return code;
	if (placement_open(NULL, &session->placement) ||
	    loops_open(session->placement, &session->loops) ||
	    busy_open((unsigned int)move_options.nr_busy, &session->busy)) {
		cli_error("cannot start threads: raise `ulimit -u`");
		return CLI_FAILED;
	}
	session_choose_workers(session);
	prediction_open(&session->prediction, session->placement, session->node);
	return session_open_context(session);
}

static void session_add_facts(struct move_session *session)
{
	json_t *facts = session->report.facts;

	if (move_options.nr_busy)
		json_object_set_new(facts, "busy_threads",
				    json_integer((json_int_t)move_options.nr_busy));
	if (move_options.order)
		json_object_set_new(facts, "order", json_string(move_options.order));
	if (move_options.stall_bound_ns)
		json_object_set_new(facts, "stall_bound_ns",
				    json_integer((json_int_t)move_options.stall_bound_ns));
	if (!move_options.no_limit)
		json_object_set_new(facts, "limit_gb_per_s",
				    json_real(move_table_best_limit(session->results)));
}

/* 0 or an exit code. */
static int session_plot(const struct move_session *session)
{
	bool within_node = session->node[0] == session->node[1];
	struct plot plot;
	char total[SIZE_TEXT_BYTES];

	plot_init(&plot,
		  within_node ? "How fast pageferry moves pages into fresh frames"
			      : "How fast pages move: pageferry against the kernel",
		  "folio size (how large the pages are)",
		  "GB/s (1e9 bytes per second), more is better");
	plot_subtitle(&plot,
		      "%s in one request, %s, %s%s; medians; thin lines: median absolute deviation",
		      size_text(move_options.total_bytes, total),
		      move_options.scattered ? "every other page in random order" : "contiguous",
		      within_node ? "within one node" : "between two nodes",
		      move_options.other_process ? ", of another process" : "");
	plot.limit_label = "copy limit of this machine";
	move_table_draw(session->results, &plot);
	return plot_write(&plot, move_options.output.plot) ? CLI_FAILED : CLI_OK;
}

/* 0 or an exit code. */
static int session_write(struct move_session *session)
{
	session_add_facts(session);
	if (move_options.stats)
		counters_report_ferry(&session->report, move_options.engine, session->ferry);
	if (report_write(&session->report, &move_options.output))
		return CLI_FAILED;
	return move_options.output.plot ? session_plot(session) : CLI_OK;
}

static int move_run(void)
{
	struct move_session *session = cli_alloc(1, sizeof(*session));
	int code;

	report_open(&session->report, "move");
	session->results = move_table(&session->report);
	if (move_options.batches.nr)
		session->batches = move_batch_table(&session->report);
	code = session_open(session);
	for (unsigned int i = 0; i < move_options.folios.nr && !code; i++)
		code = move_bench_folio(session, move_options.folios.v[i]);
	if (!code)
		code = session_write(session);
	cli_progress_end();
	ferry_close(session->ferry);
	busy_close(session->busy);
	loops_close(session->loops);
	placement_close(session->placement);
	report_close(&session->report);
	free(session);
	return code;
}

const struct command move_command = {
	.name = "move",
	.summary = "whole migrations, against the kernel's move_pages and the copy limit",
	.about = "Moves pages between two nodes and back, or to other frames of the node on a\n"
		 "machine with one, and measures whole requests, including planning and statuses.\n"
		 "Checks the node and the content of every page after each round, outside of the\n"
		 "measured time. WORKERS is empty where the policy chooses. STALL is the longest\n"
		 "time in any round that a page was in flight, and so not accessible.",
	.opts = move_opts,
	.options = &move_options,
	.run = move_run,
};
