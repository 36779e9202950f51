// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/full_report/document.h"
#include "cli/full_report/full_report.h"
#include "cli/full_report/results.h"
#include "cli/full_report/steps.h"
#include "cli/machine/machine.h"

static struct report_options {
	struct output_options output;
	const char *dir, *compare, *results;
	uint64_t time_ns, total_bytes; /* total_bytes 0: not given */
	struct uint_list folios;
} options = {
	.time_ns = 180 * NS_PER_SEC,
	/* The last are missing if the time runs out. */
	.folios = {{4096, 2097152, 65536}, 3},
};

static const struct opt opts[] = {
	OPT(TIME, "time", report_options, time_ns, "TIME", "time for all of it; default 3m",
	    .min = NS_PER_SEC, .max = 86400 * NS_PER_SEC),
	OPT(SIZES, "folio", report_options, folios, "LIST",
	    "folio sizes, the most important first; default 4k,2M,64k", .min = PAGE_BYTES,
	    .max = HUGE_BYTES, .power_of_two = true),
	OPT(SIZE, "total", report_options, total_bytes, "SIZE",
	    "bytes per round; default 256M, less if time is below 1m or the CPU emulated",
	    .min = HUGE_BYTES, .max = 1ULL << 40),
	OPT(TEXT, "compare", report_options, compare, "FILE",
	    "the report.json of another machine or version, to put beside this one"),
	OPT(TEXT, "results", report_options, results, "FILE",
	    "measure nothing: write the report of this report.json"),
	{.name = NULL},
};

static uint64_t choose_total(void)
{
	uint64_t total_bytes = options.time_ns < 60 * NS_PER_SEC ? 64 << 20 : 256 << 20;

	if (options.total_bytes)
		return options.total_bytes;
	return machine_is_emulated() ? total_bytes / 8 : total_bytes;
}

static json_t *report_measure(void)
{
	struct plan plan;

	plan_make(&plan, &options.folios, choose_total(), machine_is_emulated());
	return results_new(steps_run(&plan, options.time_ns));
}

/* A directory that files can be written to; made if there is none. 0 or an exit code. */
static int dir_open(const char *dir)
{
	if (mkdir(dir, 0777) && errno != EEXIST) {
		cli_error("%s: %s; name a directory whose parent exists and is writable", dir,
			  strerror(errno));
		return CLI_FAILED;
	}
	if (access(dir, W_OK | X_OK)) {
		cli_error("%s: %s; name a writable directory", dir, strerror(errno));
		return CLI_FAILED;
	}
	return CLI_OK;
}

typedef int emit_fn(const struct document *document, FILE *to);

static int emit_html(const struct document *document, FILE *to)
{
	document_write(document, &page_html, to);
	return 0;
}

static int emit_markdown(const struct document *document, FILE *to)
{
	document_write(document, &page_markdown, to);
	return 0;
}

static int emit_json(const struct document *document, FILE *to)
{
	int err = json_dumpf(document->results, to, JSON_INDENT(2) | JSON_REAL_PRECISION(6));

	fputc('\n', to);
	return err ? -EIO : 0;
}

/* The file has all of its content or is not there. 0 or -errno after a message. */
static int dir_write(const char *name, emit_fn *emit, const struct document *document)
{
	char *path = cli_format("%s/%s", options.dir, name), *fresh = cli_format("%s.new", path);
	FILE *to = fopen(fresh, "we");
	int err = to ? emit(document, to) : -errno;

	if (to && fclose(to) && !err)
		err = -errno;
	if (!err && rename(fresh, path))
		err = -errno;
	if (err) {
		cli_error("%s: %s", path, strerror(-err));
		unlink(fresh);
	} else {
		puts(path);
	}
	free(path);
	free(fresh);
	return err;
}

/* A wrong byte makes a command end with CLI_FAILED; so does the report. */
static int results_exit_code(const json_t *results)
{
	size_t i;
	json_t *step;

	json_array_foreach(json_object_get(results, "steps"), i, step)
	{
		const json_t *status = json_object_get(step, "exit_status");

		if (json_integer_value(status) && json_integer_value(status) != CLI_UNSUPPORTED)
			return CLI_FAILED;
	}
	return CLI_OK;
}

static int report_write_all(const struct document *document)
{
	if (dir_write("report.json", emit_json, document) ||
	    dir_write("report.md", emit_markdown, document) ||
	    dir_write("report.html", emit_html, document))
		return CLI_FAILED;
	if (!cli_is_on_path("gnuplot"))
		cli_error(
			"without plots: gnuplot is not in PATH; apt install gnuplot-nox, then add "
			"--results %s/report.json",
			options.dir);
	return results_exit_code(document->results);
}

static int report_options_check(void)
{
	const struct output_options *output = &options.output;

	if (output->json || output->csv || output->plot)
		return cli_usage_error("--%s: report writes its results, as JSON too, into %s",
				       output->json  ? "json"
				       : output->csv ? "csv"
						     : "plot",
				       options.dir);
	return CLI_OK;
}

static int report_run(void)
{
	json_t *results = NULL, *other = NULL;
	int code = report_options_check();

	if (!code && options.compare && !(other = results_load("compare", options.compare)))
		code = CLI_USAGE;
	if (!code && options.results && !(results = results_load("results", options.results)))
		code = CLI_USAGE;
	if (!code)
		code = dir_open(options.dir);
	if (!code && !results)
		results = report_measure();
	if (!code) {
		const struct document document = {.results = results, .other = other};

		code = report_write_all(&document);
	}
	json_decref(results);
	json_decref(other);
	return code;
}

const struct command report_command = {
	.name = "report",
	.summary = "all of it as a page, a text and JSON, to show others",
	.about = "Runs topo, doctor, move and copy within the stated time, and writes into DIR\n"
		 "report.html (one file, with plots), report.md (for mails) and report.json (all\n"
		 "that was measured). Files of these names are replaced. See migbench-report(1).",
	.opts = opts,
	.options = &options,
	.operand = "DIR",
	.operand_offset = offsetof(struct report_options, dir),
	.run = report_run,
};
