// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "cli/common/common.h"
#include "cli/full_report/results.h"
#include "cli/machine/machine.h"

#define SCHEMA "migbench/1"

json_t *results_new(json_t *steps)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "schema", SCHEMA, "command", "report", "env",
			 machine_env(), "steps", steps);
}

static const char *string_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

json_t *results_load(const char *option, const char *path)
{
	json_error_t error;
	json_t *results = json_load_file(path, 0, &error);

	if (!results) {
		cli_usage_error("--%s %s: %s%s; expected the report.json of a report", option, path,
				error.text, error.line > 0 ? " (no valid JSON)" : "");
		return NULL;
	}
	if (!strcmp(string_of(results, "schema"), SCHEMA) &&
	    !strcmp(string_of(results, "command"), "report") &&
	    json_is_object(json_object_get(results, "env")) &&
	    json_is_array(json_object_get(results, "steps")))
		return results;
	cli_usage_error(
		"--%s %s: not the report.json of a report (\"schema\": \"%s\", \"command\": "
		"\"report\")",
		option, path, SCHEMA);
	json_decref(results);
	return NULL;
}

static json_int_t row_folio(const json_t *row)
{
	return json_integer_value(json_object_get(row, "folio_bytes"));
}

/* Behind the rows of the same folio size. */
static void rows_insert(json_t *rows, json_t *row)
{
	size_t at = json_array_size(rows);

	while (at && row_folio(json_array_get(rows, at - 1)) > row_folio(row))
		at--;
	json_array_insert(rows, at, row);
}

json_t *results_rows(const json_t *results, const char *command, const char *key)
{
	json_t *all = json_array(), *step, *row;
	size_t i, j;

	json_array_foreach(json_object_get(results, "steps"), i, step)
	{
		const json_t *rows = json_object_get(json_object_get(step, "output"), key);

		if (strcmp(string_of(step, "command"), command))
			continue;
		json_array_foreach(rows, j, row) rows_insert(all, row);
	}
	return all;
}

const char *results_env_text(const json_t *results, const char *key, const char *otherwise)
{
	const json_t *value = json_object_get(json_object_get(results, "env"), key);

	return json_is_string(value) ? json_string_value(value) : otherwise;
}

char *results_env_value(const json_t *results, const char *key)
{
	const json_t *value = json_object_get(json_object_get(results, "env"), key);

	if (json_is_string(value))
		return cli_format("%s", json_string_value(value));
	if (json_is_integer(value))
		return cli_format("%lld", (long long)json_integer_value(value));
	if (json_is_boolean(value))
		return cli_format("%s", json_is_true(value) ? "yes" : "no");
	return NULL;
}
