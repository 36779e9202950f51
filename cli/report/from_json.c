// SPDX-License-Identifier: LGPL-2.1-or-later
/* Rows of JSON back into a table. A value of another type than its column's is absent. */
#include <stdio.h>
#include <string.h>

#include "cli/report/report.h"

/* "stall_us.p99" passes through the object "stall_us". */
static const json_t *json_get_nested(const json_t *object, const char *key, const char *suffix)
{
	char part[96];
	const char *dot;

	while ((dot = strchr(key, '.'))) {
		snprintf(part, sizeof(part), "%.*s", (int)(dot - key), key);
		object = json_object_get(object, part);
		key = dot + 1;
	}
	snprintf(part, sizeof(part), "%s%s", key, suffix);
	return json_object_get(object, part);
}

static void table_set_real(struct table *table, unsigned int column, const json_t *row,
			   const json_t *value)
{
	const json_t *spread = json_get_nested(row, table->columns[column].key, "_mad");

	if (!json_is_number(value))
		return;
	if (json_is_number(spread))
		table_spread(table, column, json_number_value(value), json_number_value(spread));
	else
		table_real(table, column, json_number_value(value));
}

static void table_set_json(struct table *table, unsigned int column, const json_t *row)
{
	const json_t *value = json_get_nested(row, table->columns[column].key, "");

	switch (table->columns[column].type) {
	case COLUMN_TEXT:
		if (json_is_string(value))
			table_text(table, column, "%s", json_string_value(value));
		break;
	case COLUMN_COUNT:
	case COLUMN_BYTES:
		if (json_is_integer(value))
			table_count(table, column, json_integer_value(value));
		break;
	case COLUMN_REAL:
		table_set_real(table, column, row, value);
		break;
	case COLUMN_BOOL:
		if (json_is_boolean(value))
			table_bool(table, column, json_is_true(value));
		break;
	}
}

void table_add_json(struct table *table, const json_t *rows)
{
	size_t index;
	const json_t *row;

	json_array_foreach(rows, index, row)
	{
		table_row(table);
		for (unsigned int c = 0; c < table->nr_columns; c++)
			table_set_json(table, c, row);
	}
}
