// SPDX-License-Identifier: LGPL-2.1-or-later
/* Aligned text for people, by libsmartcols. */
#include <errno.h>
#include <langinfo.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>

#include "cli/report/internal.h"
#include "cli/report/report.h"

/* libsmartcols shows UTF-8 bytes in hex if the system has no UTF-8 locale. */
static const char *plus_minus(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") ? "+-" : "±";
}

static int scols_fill(struct libscols_table *out, const struct table *table)
{
	unsigned int used[64], nr_used = 0;

	for (unsigned int c = 0; c < table->nr_columns && nr_used < ARRAY_SIZE(used); c++) {
		int flags = table->columns[c].type == COLUMN_TEXT ? 0 : SCOLS_FL_RIGHT;

		if (table->columns[c].data_only || !table_column_used(table, c))
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
			char text[CELL_TEXT_BYTES + 40];

			table_cell_text(table, row, used[i], plus_minus(), text);
			if (scols_line_set_data(line, i, text))
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
