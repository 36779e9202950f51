// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/report.h"

void report_open(struct report *report, const char *command)
{
	memset(report, 0, sizeof(*report));
	report->command = command;
	report->facts = json_object();
	report->notes = json_array();
}

static void table_free(struct table *table)
{
	for (unsigned int i = 0; i < table->nr_rows * table->nr_columns; i++) {
		if (table->columns[i % table->nr_columns].type == COLUMN_TEXT)
			free(table->cells[i].text);
	}
	free(table->cells);
}

void report_close(struct report *report)
{
	for (unsigned int i = 0; i < report->nr_tables; i++)
		table_free(&report->tables[i]);
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

void table_row(struct table *table)
{
	if (table->nr_rows == table->rows_cap) {
		unsigned int cap = table->rows_cap ? 2 * table->rows_cap : 16;
		struct cell *cells = cli_alloc((size_t)cap * table->nr_columns, sizeof(*cells));

		if (table->nr_rows)
			memcpy(cells, table->cells,
			       (size_t)table->nr_rows * table->nr_columns * sizeof(*cells));
		free(table->cells);
		table->cells = cells;
		table->rows_cap = cap;
	}
	table->nr_rows++;
}

struct cell *table_cell(const struct table *table, unsigned int row, unsigned int column)
{
	return &table->cells[(size_t)row * table->nr_columns + column];
}

static struct cell *latest(struct table *table, unsigned int column)
{
	struct cell *cell = table_cell(table, table->nr_rows - 1, column);

	cell->set = true;
	return cell;
}

void table_text(struct table *table, unsigned int column, const char *fmt, ...)
{
	struct cell *cell = latest(table, column);
	char text[CELL_TEXT_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	free(cell->text);
	cell->text = cli_format("%s", text);
}

void table_count(struct table *table, unsigned int column, int64_t value)
{
	latest(table, column)->count = value;
}

void table_real(struct table *table, unsigned int column, double value)
{
	latest(table, column)->real = value;
}

void table_spread(struct table *table, unsigned int column, double value, double spread)
{
	struct cell *cell = latest(table, column);

	cell->real = value;
	cell->spread = spread;
	cell->has_spread = true;
}

void table_bool(struct table *table, unsigned int column, bool value)
{
	latest(table, column)->yes = value;
}

void cell_format(const struct column *column, const struct cell *cell, char buf[CELL_TEXT_BYTES])
{
	char size[SIZE_TEXT_BYTES];

	buf[0] = '\0';
	if (!cell->set)
		return;
	switch (column->type) {
	case COLUMN_TEXT:
		snprintf(buf, CELL_TEXT_BYTES, "%s", cell->text);
		break;
	case COLUMN_COUNT:
		snprintf(buf, CELL_TEXT_BYTES, "%" PRId64, cell->count);
		break;
	case COLUMN_REAL:
		snprintf(buf, CELL_TEXT_BYTES, "%.*f", column->digits, cell->real);
		break;
	case COLUMN_BYTES:
		snprintf(buf, CELL_TEXT_BYTES, "%s", size_text((uint64_t)cell->count, size));
		break;
	case COLUMN_BOOL:
		snprintf(buf, CELL_TEXT_BYTES, "%s", cell->yes ? "yes" : "no");
		break;
	}
}

static int write_file(const struct report *report, const char *path, const char *option,
		      int (*emit)(const struct report *report, FILE *to))
{
	bool to_stdout = !strcmp(path, "-");
	FILE *to = to_stdout ? stdout : fopen(path, "we");
	int err;

	if (!to) {
		err = -errno;
		cli_error("%s %s: %s; choose a place that can be written", option, path,
			  strerror(-err));
		return err;
	}
	err = emit(report, to);
	if (fflush(to) && !err)
		err = -errno;
	if (!to_stdout && fclose(to) && !err)
		err = -errno;
	if (err)
		cli_error("%s %s: %s; what was written is not complete", option, path,
			  strerror(-err));
	return err;
}

static bool is_stdout(const char *path)
{
	return path && !strcmp(path, "-");
}

int report_write(const struct report *report, const struct output_options *output)
{
	int err = 0;

	cli_progress_end();
	if (!is_stdout(output->json) && !is_stdout(output->csv))
		err = write_file(report, "-", "standard output", emit_tables);
	if (!err && output->json)
		err = write_file(report, output->json, "--json", emit_json);
	if (!err && output->csv)
		err = write_file(report, output->csv, "--csv", emit_csv);
	return err;
}
