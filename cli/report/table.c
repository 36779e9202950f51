// SPDX-License-Identifier: LGPL-2.1-or-later
/* Rows and cells. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/internal.h"
#include "cli/report/report.h"

void table_close(struct table *table)
{
	for (unsigned int i = 0; i < table->nr_rows * table->nr_columns; i++) {
		if (table->columns[i % table->nr_columns].type == COLUMN_TEXT)
			free(table->cells[i].text);
	}
	free(table->cells);
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

static struct cell *table_set_cell(struct table *table, unsigned int column)
{
	struct cell *cell = table_cell(table, table->nr_rows - 1, column);

	cell->set = true;
	return cell;
}

void table_text(struct table *table, unsigned int column, const char *fmt, ...)
{
	struct cell *cell = table_set_cell(table, column);
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
	table_set_cell(table, column)->count = value;
}

void table_real(struct table *table, unsigned int column, double value)
{
	table_set_cell(table, column)->real = value;
}

void table_spread(struct table *table, unsigned int column, double value, double spread)
{
	struct cell *cell = table_set_cell(table, column);

	cell->real = value;
	cell->spread = spread;
	cell->has_spread = true;
}

void table_bool(struct table *table, unsigned int column, bool value)
{
	table_set_cell(table, column)->yes = value;
}

void cell_format(const struct column *column, const struct cell *cell, char *buf)
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

int table_find_column(const struct table *table, const char *key)
{
	for (unsigned int c = 0; c < table->nr_columns; c++) {
		if (!strcmp(table->columns[c].key, key))
			return (int)c;
	}
	return -1;
}

bool table_column_used(const struct table *table, unsigned int column)
{
	for (unsigned int row = 0; row < table->nr_rows; row++) {
		if (table_cell(table, row, column)->set)
			return true;
	}
	return false;
}

void table_cell_text(const struct table *table, unsigned int row, unsigned int column,
		     const char *plus_minus, char *buf)
{
	const struct cell *cell = table_cell(table, row, column);
	size_t len;

	cell_format(&table->columns[column], cell, buf);
	if (!cell->set || !cell->has_spread)
		return;
	len = strlen(buf);
	snprintf(buf + len, CELL_TEXT_BYTES + 40 - len, " %s%.*f", plus_minus,
		 table->columns[column].digits, cell->spread);
}
