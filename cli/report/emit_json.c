// SPDX-License-Identifier: LGPL-2.1-or-later
/* {"schema": "migbench/1", "command": …, "env": {…}, "results": [{…}, …]} */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/machine/machine.h"
#include "cli/report/internal.h"
#include "cli/report/report.h"

static json_t *json_of_cell(const struct column *column, const struct cell *cell)
{
	switch (column->type) {
	case COLUMN_TEXT:
		return json_string(cell->text);
	case COLUMN_COUNT:
	case COLUMN_BYTES:
		return json_integer(cell->count);
	case COLUMN_REAL:
		return isfinite(cell->real) ? json_real(cell->real) : NULL;
	case COLUMN_BOOL:
		return json_boolean(cell->yes);
	}
	return NULL;
}

/* Creates the objects that a key like "stall_us.reader.p99" passes through. */
static int json_set_nested(json_t *object, const char *key, const char *suffix, json_t *value)
{
	char part[96];
	const char *dot;

	while ((dot = strchr(key, '.'))) {
		json_t *inner;

		snprintf(part, sizeof(part), "%.*s", (int)(dot - key), key);
		inner = json_object_get(object, part);
		if (!inner) {
			inner = json_object();
			if (json_object_set_new(object, part, inner))
				return -ENOMEM;
		}
		object = inner;
		key = dot + 1;
	}
	snprintf(part, sizeof(part), "%s%s", key, suffix);
	return json_object_set_new(object, part, value) ? -ENOMEM : 0;
}

static json_t *json_of_row(const struct table *table, unsigned int row)
{
	json_t *object = json_object();

	for (unsigned int c = 0; c < table->nr_columns; c++) {
		const struct column *column = &table->columns[c];
		const struct cell *cell = table_cell(table, row, c);
		json_t *value = cell->set ? json_of_cell(column, cell) : NULL;

		if (!value)
			continue;
		if (json_set_nested(object, column->key, "", value))
			break;
		if (cell->has_spread &&
		    json_set_nested(object, column->key, "_mad", json_real(cell->spread)))
			break;
	}
	return object;
}

static json_t *json_of_table(const struct table *table)
{
	json_t *array = json_array();

	for (unsigned int row = 0; row < table->nr_rows; row++)
		json_array_append_new(array, json_of_row(table, row));
	return array;
}

int emit_json(const struct report *report, FILE *to)
{
	json_t *root = json_pack("{s:s, s:s, s:o}", "schema", "migbench/1", "command",
				 report->command, "env", machine_env());
	int err;

	if (!root)
		return -ENOMEM;
	json_object_update(root, report->facts);
	for (unsigned int i = 0; i < report->nr_tables; i++) {
		const struct table *table = &report->tables[i];

		if (!table->text_only)
			json_object_set_new(root, table->key, json_of_table(table));
	}
	if (json_array_size(report->notes))
		json_object_set(root, "notes", report->notes);
	err = json_dumpf(root, to, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) ? -EIO : 0;
	json_decref(root);
	fputc('\n', to);
	return err;
}
