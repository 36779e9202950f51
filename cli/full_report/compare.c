// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/common.h"
#include "cli/full_report/compare.h"
#include "cli/full_report/noise.h"
#include "cli/full_report/results.h"

/* ---- environments ---- */

enum { ENV_KEY, ENV_THIS, ENV_OTHER };

static const struct column env_columns[] = {
	[ENV_KEY] = {"key", "DIFFERS", COLUMN_TEXT, 0, false},
	[ENV_THIS] = {"this", "THIS", COLUMN_TEXT, 0, false},
	[ENV_OTHER] = {"other", "OTHER", COLUMN_TEXT, 0, false},
};

static void env_add_row(struct table *table, const char *key, const char *this, const char *other)
{
	if (this && other && !strcmp(this, other))
		return;
	table_row(table);
	table_text(table, ENV_KEY, "%s", key);
	table_text(table, ENV_THIS, "%s", this ? this : "-");
	table_text(table, ENV_OTHER, "%s", other ? other : "-");
}

static void env_compare(struct table *table, const char *key, const json_t *results,
			const json_t *other)
{
	char *here = results_env_value(results, key), *there = results_env_value(other, key);

	if (here || there)
		env_add_row(table, key, here, there);
	free(here);
	free(there);
}

struct table *compare_environments(struct report *report, const json_t *results,
				   const json_t *other)
{
	struct table *table =
		report_table(report, "env", NULL, env_columns, ARRAY_SIZE(env_columns));
	const json_t *env = json_object_get(results, "env");
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)env, key, value) env_compare(table, key, results, other);
	json_object_foreach(json_object_get(other, "env"), key, value)
	{
		if (!json_object_get(env, key))
			env_compare(table, key, results, other);
	}
	return table;
}

/* ---- rates ---- */

enum { RATE_WHAT, RATE_FOLIO, RATE_WORKERS, RATE_THIS, RATE_OTHER, RATE_RATIO, RATE_VERDICT };

static const struct column rate_columns[] = {
	[RATE_WHAT] = {"what", "GB/s OF", COLUMN_TEXT, 0, false},
	[RATE_FOLIO] = {"folio_bytes", "FOLIO", COLUMN_BYTES, 0, false},
	[RATE_WORKERS] = {"workers", "WORKERS", COLUMN_TEXT, 0, false},
	[RATE_THIS] = {"this", "THIS", COLUMN_REAL, 2, false},
	[RATE_OTHER] = {"other", "OTHER", COLUMN_REAL, 2, false},
	[RATE_RATIO] = {"ratio", "THIS / OTHER", COLUMN_REAL, 2, false},
	[RATE_VERDICT] = {"verdict", "VERDICT", COLUMN_TEXT, 0, false},
};

struct rate {
	char what[80];
	json_int_t folio_bytes, nr_workers; /* nr_workers 0: the policy's choice */
	bool is_all;                        /* as many workers as the machine's CPUs */
	struct measured gb_per_s;
};

static double number_of(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "?";
}

static struct measured measured_of(const json_t *row, const char *key)
{
	char mad[64];

	snprintf(mad, sizeof(mad), "%s_mad", key);
	return (struct measured){
		.median = number_of(row, key),
		.mad = number_of(row, mad),
		.nr_rounds = json_integer_value(json_object_get(row, "rounds")),
	};
}

/* The largest number of workers in any row; no row of its own if there is only one number. */
static json_int_t most_workers(const json_t *rows)
{
	json_int_t most = 1;
	size_t i;
	json_t *row;

	json_array_foreach((json_t *)rows, i, row)
	{
		most = MAX(most, json_integer_value(json_object_get(row, "workers")));
	}
	return most;
}

static void rate_read(struct rate *rate, const char *command, const json_t *row, json_int_t most)
{
	snprintf(rate->what, sizeof(rate->what), "%s %s", command,
		 text_of(row, !strcmp(command, "move") ? "mover" : "engine"));
	rate->folio_bytes = json_integer_value(json_object_get(row, "folio_bytes"));
	rate->nr_workers = json_integer_value(json_object_get(row, "workers"));
	rate->is_all = most > 1 && rate->nr_workers == most;
	rate->gb_per_s = measured_of(row, "gb_per_s");
}

/* The limit that the first row of each folio size was measured against. */
static void rate_read_limit(struct rate *rate, const json_t *row)
{
	*rate = (struct rate){
		.what = "copy limit",
		.folio_bytes = json_integer_value(json_object_get(row, "folio_bytes")),
		.gb_per_s = measured_of(row, "limit_gb_per_s"),
	};
}

struct rates {
	struct rate *v;
	unsigned int nr;
};

static void rates_read_command(struct rates *rates, const json_t *results, const char *command)
{
	json_t *rows = results_rows(results, command, "results"), *row;
	json_int_t most = most_workers(rows), last_folio = 0;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		struct rate limit;

		rate_read_limit(&limit, row);
		if (!strcmp(command, "copy") && limit.folio_bytes != last_folio)
			rates->v[rates->nr++] = limit;
		last_folio = limit.folio_bytes;
		rate_read(&rates->v[rates->nr++], command, row, most);
	}
	json_decref(rows);
}

static size_t count_rows(const json_t *results)
{
	json_t *moves = results_rows(results, "move", "results");
	json_t *copies = results_rows(results, "copy", "results");
	size_t nr = json_array_size(moves) + json_array_size(copies);

	json_decref(moves);
	json_decref(copies);
	return nr;
}

static struct rates rates_read(const json_t *results)
{
	/* Each row may bring a limit. */
	struct rates rates = {.v = cli_alloc(2 * count_rows(results), sizeof(struct rate))};

	rates_read_command(&rates, results, "move");
	rates_read_command(&rates, results, "copy");
	return rates;
}

static bool rates_match(const struct rate *a, const struct rate *b)
{
	if (strcmp(a->what, b->what) || a->folio_bytes != b->folio_bytes)
		return false;
	return a->nr_workers == b->nr_workers || (a->is_all && b->is_all);
}

/* The same number of workers, rather than all. */
static const struct rate *rates_find(const struct rates *rates, const struct rate *wanted)
{
	const struct rate *found = NULL;

	for (unsigned int i = 0; i < rates->nr; i++) {
		const struct rate *rate = &rates->v[i];

		if (rates_match(rate, wanted) && (!found || rate->nr_workers == wanted->nr_workers))
			found = rate;
	}
	return found;
}

static const char *verdict_text(enum noise_verdict verdict)
{
	static const char *const texts[] = {
		[NOISE_SAME] = "no difference",
		[NOISE_MORE] = "faster",
		[NOISE_LESS] = "slower",
		[NOISE_UNKNOWN] = "too few rounds",
	};

	return texts[verdict];
}

static void table_add_rates(struct table *table, const struct rate *a, const struct rate *b)
{
	table_row(table);
	table_text(table, RATE_WHAT, "%s", a->what);
	table_count(table, RATE_FOLIO, a->folio_bytes);
	if (a->nr_workers == b->nr_workers && a->nr_workers)
		table_text(table, RATE_WORKERS, "%lld", (long long)a->nr_workers);
	else if (a->nr_workers)
		table_text(table, RATE_WORKERS, "all: %lld, %lld", (long long)a->nr_workers,
			   (long long)b->nr_workers);
	table_spread(table, RATE_THIS, a->gb_per_s.median, a->gb_per_s.mad);
	table_spread(table, RATE_OTHER, b->gb_per_s.median, b->gb_per_s.mad);
	if (b->gb_per_s.median > 0)
		table_spread(table, RATE_RATIO, a->gb_per_s.median / b->gb_per_s.median,
			     noise_of(&a->gb_per_s, &b->gb_per_s) / b->gb_per_s.median);
	table_text(table, RATE_VERDICT, "%s",
		   verdict_text(noise_compare(&a->gb_per_s, &b->gb_per_s)));
}

struct table *compare_rates(struct report *report, const json_t *results, const json_t *other,
			    unsigned int *nr_alone)
{
	struct table *table =
		report_table(report, "rates", NULL, rate_columns, ARRAY_SIZE(rate_columns));
	struct rates here = rates_read(results), there = rates_read(other);

	for (unsigned int i = 0; i < here.nr; i++) {
		const struct rate *match = rates_find(&there, &here.v[i]);

		if (match)
			table_add_rates(table, &here.v[i], match);
		*nr_alone += !match;
	}
	for (unsigned int i = 0; i < there.nr; i++)
		*nr_alone += !rates_find(&here, &there.v[i]);
	free(here.v);
	free(there.v);
	return table;
}
