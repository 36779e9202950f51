// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "cli/counters/counters.h"

enum { COL_NAME, COL_VALUE };

static const struct column columns[] = {
	[COL_NAME] = {"counter", "COUNTER", COLUMN_TEXT, 0, false},
	[COL_VALUE] = {"value", "VALUE", COLUMN_COUNT, 0, false},
};

static struct counter *counters_find(const struct counters *counters, const char *name)
{
	for (unsigned int i = 0; i < counters->nr; i++) {
		if (!strcmp(counters->list[i].name, name))
			return &counters->list[i];
	}
	return NULL;
}

/* A name that only a later engine reports goes next to its neighbours in that engine's order. */
static struct counter *counters_insert(struct counters *counters, const char *name)
{
	struct counter *list = counters->list;

	if (counters->nr == counters->cap) {
		counters->cap = counters->cap ? 2 * counters->cap : 64;
		list = cli_alloc(counters->cap, sizeof(*list));
		if (counters->nr)
			memcpy(list, counters->list, counters->nr * sizeof(*list));
		free(counters->list);
		counters->list = list;
	}
	memmove(&list[counters->next + 1], &list[counters->next],
		(counters->nr++ - counters->next) * sizeof(*list));
	list[counters->next] = (struct counter){.name = cli_format("%s", name)};
	return &list[counters->next];
}

void counters_restart(struct counters *counters)
{
	counters->next = 0;
}

void counters_add(void *arg, const char *name, uint64_t value)
{
	struct counters *counters = arg;
	struct counter *counter = counters_find(counters, name);

	if (!counter)
		counter = counters_insert(counters, name);
	counter->value += value;
	counters->next = (unsigned int)(counter - counters->list) + 1;
}

uint64_t counters_value(const struct counters *counters, const char *name)
{
	const struct counter *counter = counters_find(counters, name);

	return counter ? counter->value : 0;
}

void counters_free(struct counters *counters)
{
	for (unsigned int i = 0; i < counters->nr; i++)
		free(counters->list[i].name);
	free(counters->list);
	memset(counters, 0, sizeof(*counters));
}

/* True if any counter is not zero. */
static bool counters_add_table(struct report *report, const char *caption,
			       const struct counters *counters)
{
	struct table *table = report_table(report, "stats", caption, columns, ARRAY_SIZE(columns));

	table->text_only = true;
	for (unsigned int i = 0; i < counters->nr; i++) {
		if (!counters->list[i].value)
			continue;
		table_row(table);
		table_text(table, COL_NAME, "%s", counters->list[i].name);
		table_count(table, COL_VALUE, (int64_t)counters->list[i].value);
	}
	return table->nr_rows;
}

/* Names keep their dots: "status.page_fault" is a number and not the parent of another. */
static void counters_add_json(struct report *report, const char *key,
			      const struct counters *counters)
{
	json_t *stats = json_object_get(report->facts, "stats");
	json_t *object = json_object();

	if (!stats) {
		stats = json_object();
		json_object_set_new(report->facts, "stats", stats);
	}
	for (unsigned int i = 0; i < counters->nr; i++)
		json_object_set_new(object, counters->list[i].name,
				    json_integer((json_int_t)counters->list[i].value));
	json_object_set_new(stats, key, object);
}

void counters_report(struct report *report, const char *spec, const struct counters *counters)
{
	if (!counters->nr)
		report_note(report, "Engine %s keeps no counters.", spec);
	else if (!counters_add_table(report, "Counters of the engine in the whole run:", counters))
		report_note(report, "All counters of engine %s are zero: it was not used.", spec);
	counters_add_json(report, "engine", counters);
}

static void counters_add_array(struct counters *counters, const char *what, const uint64_t *values,
			       unsigned int nr, const char *(*name_of)(unsigned int i))
{
	for (unsigned int i = 1; i < nr; i++) {
		char *name = cli_format("%s.%s", what, name_of(i));

		counters_add(counters, name, values[i]);
		free(name);
	}
}

static const char *mover_name(unsigned int i)
{
	return ferry_mover_name((enum ferry_mover)i);
}

static const char *reason_name(unsigned int i)
{
	return ferry_reason_name((enum ferry_reason)i);
}

void counters_report_ferry(struct report *report, const char *spec, struct ferry *ferry)
{
	struct ferry_stats stats = FERRY_STATS_INIT;
	struct counters engine = {0}, library = {0};

	if (!spec)
		spec = "auto";
	if (ferry_engine_counters(ferry, counters_add, &engine) || ferry_get_stats(ferry, &stats))
		return;
	counters_report(report, spec, &engine);
	counters_add_array(&library, "pages_by_mover", stats.pages_by_mover, FERRY_NR_MOVERS,
			   mover_name);
	counters_add_array(&library, "pages_by_reason", stats.pages_by_reason, FERRY_NR_REASONS,
			   reason_name);
	counters_add(&library, "bytes_by_engine", stats.bytes_by_engine);
	counters_add(&library, "bytes_by_cpu", stats.bytes_by_cpu);
	if (!counters_add_table(
		    report,
		    "Counters of the library in the whole run, in pages of 4 KiB:", &library))
		report_note(report, "The library moved no page.");
	counters_add_json(report, "library", &library);
	counters_free(&engine);
	counters_free(&library);
}
