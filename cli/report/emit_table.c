// SPDX-License-Identifier: LGPL-2.1-or-later
/* Aligned text for people, by libsmartcols. */
#include <errno.h>
#include <langinfo.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>

#include "cli/report/internal.h"
#include "cli/report/report.h"

static bool column_used(const struct table *table, unsigned int column)
{
	if (table->columns[column].data_only)
		return false;
	for (unsigned int row = 0; row < table->nr_rows; row++) {
		if (table_cell(table, row, column)->set)
			return true;
	}
	return false;
}

/* libsmartcols shows UTF-8 bytes in hex if the system has no UTF-8 locale. */
static const char *plus_minus(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") ? "+-" : "±";
}

static int line_fill_cell(struct libscols_line *line, unsigned int at, const struct column *column,
			  const struct cell *cell)
{
	char text[CELL_TEXT_BYTES + 40];

	cell_format(column, cell, text);
	if (cell->set && cell->has_spread) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, " %s%.*f", plus_minus(), column->digits,
			 cell->spread);
	}
	return scols_line_set_data(line, at, text);
}

static int scols_fill(struct libscols_table *out, const struct table *table)
{
	unsigned int used[64], nr_used = 0;

	for (unsigned int c = 0; c < table->nr_columns && nr_used < ARRAY_SIZE(used); c++) {
		int flags = table->columns[c].type == COLUMN_TEXT ? 0 : SCOLS_FL_RIGHT;

		if (!column_used(table, c))
			continue;
		used[nr_used++] = c;
		if (!scols_table_new_column(out, table->columns[c].title, 0, flags))
			return -ENOMEM;
	}
	for (unsigned int row = 0; row < table->nr_rows; row++) {
		struct libscols_line *line = scols_table_new_line(out, NULL);

		if (!line)
			return -ENOMEM;
		for (unsigned int i = 0; i < nr_used; i++) {
			if (line_fill_cell(line, i, &table->columns[used[i]],
					   table_cell(table, row, used[i])))
				return -ENOMEM;
		}
	}
	return 0;
}

static int emit_table(const struct table *table, FILE *to)
{
	struct libscols_table *out = scols_new_table();
	int err = -ENOMEM;

	if (!out)
		return err;
	scols_table_set_stream(out, to);
	/* Lines may wrap: cutting them at the terminal's edge would lose numbers. */
	scols_table_set_termforce(out, SCOLS_TERMFORCE_NEVER);
	err = scols_fill(out, table);
	if (!err)
		err = scols_print_table(out) ? -EIO : 0;
	scols_unref_table(out);
	return err;
}

int emit_tables(const struct report *report, FILE *to)
{
	bool first = true;
	size_t index;
	json_t *note;

	for (unsigned int i = 0; i < report->nr_tables; i++) {
		const struct table *table = &report->tables[i];
		int err;

		if (!table->nr_rows)
			continue;
		if (!first)
			fputc('\n', to);
		first = false;
		if (table->caption)
			fprintf(to, "%s\n", table->caption);
		err = emit_table(table, to);
		if (err)
			return err;
	}
	if (json_array_size(report->notes))
		fputc('\n', to);
	json_array_foreach(report->notes, index, note) fprintf(to, "%s\n", json_string_value(note));
	return 0;
}
