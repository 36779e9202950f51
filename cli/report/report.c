// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/report/internal.h"
#include "cli/report/report.h"

void report_open(struct report *report, const char *command)
{
	memset(report, 0, sizeof(*report));
	report->command = command;
	report->facts = json_object();
	report->notes = json_array();
}

void report_close(struct report *report)
{
	for (unsigned int i = 0; i < report->nr_tables; i++)
		table_close(&report->tables[i]);
	json_decref(report->facts);
	json_decref(report->notes);
	memset(report, 0, sizeof(*report));
}

struct table *report_table(struct report *report, const char *key, const char *caption,
			   const struct column *columns, unsigned int nr_columns)
{
	struct table *table = &report->tables[report->nr_tables++];

	table->key = key;
	table->caption = caption;
	table->columns = columns;
	table->nr_columns = nr_columns;
	return table;
}

void report_note(struct report *report, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_array_append_new(report->notes, json_string(text));
}

static int report_write_file(const struct report *report, const char *path, const char *option,
			     int (*emit)(const struct report *report, FILE *to))
{
	bool to_stdout = !strcmp(path, "-");
	FILE *to = to_stdout ? stdout : fopen(path, "we");
	int err;

	if (!to) {
		err = -errno;
		cli_error("%s %s: %s; choose a writable path", option, path, strerror(-err));
		return err;
	}
	err = emit(report, to);
	if (fflush(to) && !err)
		err = -errno;
	if (!to_stdout && fclose(to) && !err)
		err = -errno;
	if (err)
		cli_error("%s %s: %s; the output is incomplete", option, path, strerror(-err));
	return err;
}

static bool path_is_stdout(const char *path)
{
	return path && !strcmp(path, "-");
}

int report_write(const struct report *report, const struct output_options *output)
{
	int err = 0;

	cli_progress_end();
	if (!path_is_stdout(output->json) && !path_is_stdout(output->csv))
		err = report_write_file(report, "-", "standard output", emit_tables);
	if (!err && output->json)
		err = report_write_file(report, output->json, "--json", emit_json);
	if (!err && output->csv)
		err = report_write_file(report, output->csv, "--csv", emit_csv);
	return err;
}
