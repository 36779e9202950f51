// SPDX-License-Identifier: LGPL-2.1-or-later
/* migbench doctor: what can be used here; for the rest, why not and the command that mends it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/env.h"
#include "cli/report.h"
#include "copy/kernels.h"
#include "engines/dsa/doctor.h"
#include "engines/engine.h"
#include "pageferry.h"

static struct doctor_options {
	struct output_options output;
} options;

static const struct opt opts[] = {
	{.name = NULL},
};

enum { COL_SUBJECT, COL_USABLE, COL_DETAIL, COL_REMEDY };

static const struct column columns[] = {
	[COL_SUBJECT] = {"subject", "SUBJECT", COLUMN_TEXT, 0, false},
	[COL_USABLE] = {"usable", "USABLE", COLUMN_BOOL, 0, false},
	[COL_DETAIL] = {"detail", "DETAIL", COLUMN_TEXT, 0, false},
	[COL_REMEDY] = {"remedy", "WHAT TO DO", COLUMN_TEXT, 0, false},
};

static void add(struct table *table, const char *subject, bool usable, const char *detail,
		const char *remedy)
{
	table_row(table);
	table_text(table, COL_SUBJECT, "%s", subject);
	table_bool(table, COL_USABLE, usable);
	if (detail && *detail)
		table_text(table, COL_DETAIL, "%s", detail);
	if (remedy && *remedy)
		table_text(table, COL_REMEDY, "%s", remedy);
}

static void add_finding(void *arg, const struct ferry_finding *finding)
{
	add(arg, finding->subject, finding->usable, finding->detail, finding->remedy);
}

static void add_dsa_link(void *arg, const char *step, bool ok, const char *detail,
			 const char *remedy)
{
	char subject[96];

	snprintf(subject, sizeof(subject), "dsa/%s", step);
	add(arg, subject, ok, detail, remedy);
}

static void add_kernels(struct table *table)
{
	for (unsigned int i = 0; i < nr_copy_kernels; i++) {
		const struct copy_kernel *kernel = &copy_kernels[i];
		char subject[64], detail[128];

		snprintf(subject, sizeof(subject), "copy-kernel/%s", kernel->name);
		if (kernel->usable())
			snprintf(detail, sizeof(detail), "%s%s",
				 kernel->streaming ? "around the caches" : "through the caches",
				 kernel->vault_safe ? "" : "; for measuring only");
		else
			snprintf(detail, sizeof(detail), "this CPU lacks %s", kernel->needs);
		add(table, subject, kernel->usable(), detail, NULL);
	}
}

static bool on_path(const char *program)
{
	const char *path = getenv("PATH");
	bool found = false;

	while (path && *path && !found) {
		size_t len = strcspn(path, ":");
		char *file = cli_format("%.*s/%s", (int)len, path, program);

		found = !access(file, X_OK);
		free(file);
		path += len + (path[len] == ':');
	}
	return found;
}

static void add_surroundings(struct table *table)
{
	if (env_emulated())
		add(table, "machine/clock", false, "emulated CPU: only ratios mean anything", NULL);
	add(table, "tool/gnuplot", on_path("gnuplot"), "draws --plot",
	    on_path("gnuplot") ? NULL : "apt install gnuplot-nox");
}

static int run(void)
{
	struct report report;
	struct table *table;
	int err, code = CLI_OK;

	if (options.output.plot)
		return cli_usage_error("--plot: doctor has nothing to draw");
	report_open(&report, "doctor");
	table = report_table(&report, "findings", NULL, columns, ARRAY_SIZE(columns));
	err = ferry_doctor(add_finding, table);
	if (err) {
		cli_error("the library can't be asked: %s", strerror(-err));
		code = CLI_FAILED;
	}
	dsa_doctor(add_dsa_link, table);
	add_kernels(table);
	add_surroundings(table);
	if (report_write(&report, &options.output))
		code = CLI_FAILED;
	report_close(&report);
	return code;
}

const struct command doctor_command = {
	.name = "doctor",
	.summary = "what can be used here, and how to mend what can't",
	.about = "Tries each mover, engine, kernel feature and copy kernel and says whether it\n"
		 "can be used here; if not, exactly why, and the command that mends it. Exits\n"
		 "0 whatever it finds.",
	.opts = opts,
	.options = &options,
	.run = run,
};
