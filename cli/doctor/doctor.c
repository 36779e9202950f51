// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <string.h>

#include "cli/doctor/doctor.h"
#include "cli/machine/machine.h"
#include "cli/report/report.h"
#include "copy/kernels.h"
#include "engines/dsa/doctor.h"
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

struct table *doctor_table(struct report *report)
{
	return report_table(report, "findings", NULL, columns, ARRAY_SIZE(columns));
}

/* detail is the diagnosis, remedy what to do about it; either may be NULL. */
static void table_add_finding(struct table *table, const char *subject, bool usable,
			      const char *detail, const char *remedy)
{
	table_row(table);
	table_text(table, COL_SUBJECT, "%s", subject);
	table_bool(table, COL_USABLE, usable);
	if (detail && *detail)
		table_text(table, COL_DETAIL, "%s", detail);
	if (remedy && *remedy)
		table_text(table, COL_REMEDY, "%s", remedy);
}

static void library_finding(void *arg, const struct ferry_finding *finding)
{
	table_add_finding(arg, finding->subject, finding->usable, finding->detail, finding->remedy);
}

static void dsa_finding(void *arg, const char *step, bool ok, const char *detail,
			const char *remedy)
{
	char subject[96];

	snprintf(subject, sizeof(subject), "dsa/%s", step);
	table_add_finding(arg, subject, ok, detail, remedy);
}

static void table_add_kernels(struct table *table)
{
	for (unsigned int i = 0; i < nr_copy_kernels; i++) {
		const struct copy_kernel *kernel = &copy_kernels[i];
		char subject[64], detail[128];

		snprintf(subject, sizeof(subject), "copy-kernel/%s", kernel->name);
		if (kernel->usable())
			snprintf(detail, sizeof(detail), "%s%s",
				 kernel->streaming ? "bypasses the caches" : "through the caches",
				 kernel->vault_safe ? "" : "; only for measurements");
		else
			snprintf(detail, sizeof(detail), "requires %s", kernel->needs);
		table_add_finding(table, subject, kernel->usable(), detail, NULL);
	}
}

static void table_add_environment(struct table *table)
{
	bool has_gnuplot = cli_is_on_path("gnuplot");

	if (machine_is_emulated())
		table_add_finding(table, "machine/clock", false,
				  "emulated CPU: only ratios are meaningful",
				  "measure on hardware or under KVM");
	table_add_finding(table, "tool/gnuplot", has_gnuplot,
			  has_gnuplot ? "draws --plot" : "not in PATH; --plot needs it",
			  has_gnuplot ? NULL : "apt install gnuplot-nox");
}

static int doctor_run(void)
{
	struct report report;
	struct table *table;
	int err, code = CLI_OK;

	if (options.output.plot)
		return cli_usage_error("--plot: doctor has nothing to draw");
	report_open(&report, "doctor");
	table = doctor_table(&report);
	err = ferry_doctor(library_finding, table);
	if (err) {
		cli_error("the library cannot examine itself: %s", strerror(-err));
		code = CLI_FAILED;
	}
	dsa_doctor(dsa_finding, table);
	table_add_kernels(table);
	table_add_environment(table);
	if (report_write(&report, &options.output))
		code = CLI_FAILED;
	report_close(&report);
	return code;
}

const struct command doctor_command = {
	.name = "doctor",
	.summary = "what this machine can use, and the remedy for what it cannot",
	.about = "Tries each mover, engine, kernel feature and copy kernel on this machine. For\n"
		 "each one that is not usable, DETAIL is the diagnosis and WHAT TO DO the\n"
		 "remedy. The exit status is 0, whatever it finds.",
	.opts = opts,
	.options = &options,
	.run = doctor_run,
};
