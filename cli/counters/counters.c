// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/counters/counters.h"

#include <stdlib.h>
#include <string.h>

enum { COL_NAME, COL_VALUE };

static const struct column columns[] = {
	[COL_NAME] = {"counter", "COUNTER", COLUMN_TEXT, 0, false},
	[COL_VALUE] = {"value", "VALUE", COLUMN_COUNT, 0, false},
};

static struct counter *find(const struct counters *counters, const char *name)
{
	for (unsigned int i = 0; i < counters->nr; i++) {
		if (!strcmp(counters->list[i].name, name))
			return &counters->list[i];
	}
	return NULL;
}

/* Where an engine tells it: a status that only a later one has seen stands with the others. */
static struct counter *insert(struct counters *counters, const char *name)
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
	memmove(&list[counters->at + 1], &list[counters->at],
		(counters->nr++ - counters->at) * sizeof(*list));
	list[counters->at] = (struct counter){.name = cli_format("%s", name)};
	return &list[counters->at];
}

static void take(void *arg, const char *name, uint64_t value)
{
	struct counters *counters = arg;
	struct counter *counter = find(counters, name);

	if (!counter)
		counter = insert(counters, name);
	counter->value += value;
	counters->at = (unsigned int)(counter - counters->list) + 1;
}

void counters_add_engine(struct counters *counters, struct engine *engine)
{
	counters->at = 0;
	if (engine->ops->counters)
		engine->ops->counters(engine, take, counters);
}

uint64_t counters_value(const struct counters *counters, const char *name)
{
	const struct counter *counter = find(counters, name);

	return counter ? counter->value : 0;
}

void counters_free(struct counters *counters)
{
	for (unsigned int i = 0; i < counters->nr; i++)
		free(counters->list[i].name);
	free(counters->list);
	memset(counters, 0, sizeof(*counters));
}

/* True if any is not zero. */
static bool add_table(struct report *report, const char *caption, const struct counters *counters)
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

/* Names stay whole: "status.page_fault" is a number and not the parent of another. */
static void add_json(struct report *report, const char *key, const struct counters *counters)
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
	else if (!add_table(report, "What the engine counted in the whole run:", counters))
		report_note(report, "All counters of engine %s are zero: it was not used.", spec);
	add_json(report, "engine", counters);
}

static void take_array(struct counters *counters, const char *what, const uint64_t *values,
		       unsigned int nr, const char *(*name_of)(unsigned int i))
{
	for (unsigned int i = 1; i < nr; i++) {
		char *name = cli_format("%s.%s", what, name_of(i));

		take(counters, name, values[i]);
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

	if (ferry_engine_counters(ferry, take, &engine) || ferry_get_stats(ferry, &stats))
		return;
	counters_report(report, spec, &engine);
	take_array(&library, "pages_by_mover", stats.pages_by_mover, FERRY_NR_MOVERS, mover_name);
	take_array(&library, "pages_by_reason", stats.pages_by_reason, FERRY_NR_REASONS,
		   reason_name);
	take(&library, "bytes_by_engine", stats.bytes_by_engine);
	take(&library, "bytes_by_cpu", stats.bytes_by_cpu);
	if (!add_table(report,
		       "What the library counted in the whole run, in pages of 4 KiB:", &library))
		report_note(report, "The library has moved no page.");
	add_json(report, "library", &library);
	counters_free(&engine);
	counters_free(&library);
}
