// SPDX-License-Identifier: LGPL-2.1-or-later
/* RFC 4180; an empty line separates tables. */
#include <stdio.h>
#include <string.h>

#include "cli/report/internal.h"
#include "cli/report/report.h"

static void csv_put_field(FILE *to, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, to);
		return;
	}
	fputc('"', to);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', to);
		fputc(*text, to);
	}
	fputc('"', to);
}

static bool column_has_spread(const struct table *table, unsigned int column)
{
	for (unsigned int row = 0; row < table->nr_rows; row++) {
		if (table_cell(table, row, column)->has_spread)
			return true;
	}
	return false;
}

static void csv_put_header(FILE *to, const struct table *table)
{
	for (unsigned int c = 0; c < table->nr_columns; c++) {
		fprintf(to, "%s%s", c ? "," : "", table->columns[c].key);
		if (column_has_spread(table, c))
			fprintf(to, ",%s_mad", table->columns[c].key);
	}
	fputc('\n', to);
}

static void csv_put_cell(FILE *to, const struct column *column, const struct cell *cell)
{
	char text[CELL_TEXT_BYTES];

	if (!cell->set)
		return;
	if (column->type == COLUMN_REAL) {
		fprintf(to, "%.6g", cell->real);
	} else if (column->type == COLUMN_BYTES) {
		fprintf(to, "%lld", (long long)cell->count);
	} else {
		cell_format(column, cell, text);
		csv_put_field(to, text);
	}
}

int emit_csv(const struct report *report, FILE *to)
{
	bool first = true;

	for (unsigned int i = 0; i < report->nr_tables; i++) {
		const struct table *table = &report->tables[i];

		if (!table->nr_rows || table->text_only)
			continue;
		if (!first)
			fputc('\n', to);
		first = false;
		csv_put_header(to, table);
		for (unsigned int row = 0; row < table->nr_rows; row++) {
			for (unsigned int c = 0; c < table->nr_columns; c++) {
				const struct cell *cell = table_cell(table, row, c);

				if (c)
					fputc(',', to);
				csv_put_cell(to, &table->columns[c], cell);
				if (!column_has_spread(table, c))
					continue;
				fputc(',', to);
				if (cell->has_spread)
					fprintf(to, "%.6g", cell->spread);
			}
			fputc('\n', to);
		}
	}
	return 0;
}
