// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "cli/common/common.h"
#include "cli/copy/copy.h"
#include "cli/copy/options.h"
#include "cli/copy/path_cost.h"
#include "cli/copy/rate.h"

static void copy_plot_init(struct plot *plot)
{
	char total[SIZE_TEXT_BYTES];

	plot_init(plot, "How fast the copy engine copies pages",
		  "folio size (what is copied at a time)",
		  "GB/s (1e9 bytes per second), more is better");
	plot_subtitle(plot, "%s per round, %s; medians; thin bars: median absolute deviation",
		      size_text(copy_options.total_bytes, total),
		      copy_options.scattered ? "folios in random order" : "folios in order");
	plot->limit_label = "copy limit of this machine";
}

/* 0 or an exit code. */
static int session_measure(struct copy_session *session)
{
	bool is_null;
	int code;

	if (placement_open(NULL, &session->placement) ||
	    loops_open(session->placement, &session->loops)) {
		cli_error("cannot start threads: raise `ulimit -u`");
		return CLI_FAILED;
	}
	code = copy_find_null_device(session, &is_null);
	if (code)
		return code;
	return is_null ? copy_path_cost(session) : copy_rate(session);
}

/* 0 or an exit code. */
static int session_write(struct copy_session *session)
{
	const char *plot_path = copy_options.output.plot;

	if (copy_options.stats)
		counters_report(&session->report, copy_options.engine, &session->counters);
	if (report_write(&session->report, &copy_options.output))
		return CLI_FAILED;
	return plot_path && plot_write(&session->plot, plot_path) ? CLI_FAILED : CLI_OK;
}

static int copy_run(void)
{
	struct copy_session *session = cli_alloc(1, sizeof(*session));
	int code;

	report_open(&session->report, "copy");
	copy_plot_init(&session->plot);
	code = session_measure(session);
	if (!code)
		code = session_write(session);
	cli_progress_end();
	loops_close(session->loops);
	placement_close(session->placement);
	report_close(&session->report);
	counters_free(&session->counters);
	free(session);
	return code;
}

const struct command copy_command = {
	.name = "copy",
	.summary = "an engine alone, against the machine's copy limit",
	.about = "Copies memory with an engine, without moving pages, and compares the rate with\n"
		 "the copy limit: the best rate of plain pinned copy loops on touched memory of\n"
		 "the same folio size, over copy kernels and numbers of threads, in the same run.\n"
		 "A null device (dsa:model,null, sdxi:model,null) copies nothing: with it, the\n"
		 "command measures the CPU time of the path to a device instead.",
	.opts = copy_opts,
	.options = &copy_options,
	.run = copy_run,
};
