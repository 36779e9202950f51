// SPDX-License-Identifier: LGPL-2.1-or-later
/* The section that puts two results side by side. */
#include <stdlib.h>

#include "cli/full_report/compare.h"
#include "cli/full_report/results.h"
#include "cli/full_report/sections.h"

static char *machine_line(const json_t *results)
{
	return cli_format("pageferry %s, Linux %s, %s, %s",
			  results_env_text(results, "library", "?"),
			  results_env_text(results, "kernel", "?"),
			  results_env_text(results, "cpu_model", "unknown CPU"),
			  results_env_text(results, "time", "?"));
}

static void put_machines(const struct writer *writer, const json_t *other)
{
	char *here = machine_line(writer->results), *there = machine_line(other);

	writer->format->list_begin(writer->to);
	put_item(writer, "THIS", "%s", here);
	put_item(writer, "OTHER", "%s", there);
	writer->format->list_end(writer->to);
	free(here);
	free(there);
}

static void put_all_columns(const struct writer *writer, const struct table *table)
{
	struct page_columns columns = {.nr = 0};

	for (unsigned int c = 0; c < table->nr_columns; c++) {
		if (table_column_used(table, c))
			columns.v[columns.nr++] = c;
	}
	writer->format->table(writer->to, table, &columns);
}

void section_comparison(const struct writer *writer, const json_t *other)
{
	struct report report;
	struct table *rates, *environments;
	unsigned int nr_alone = 0;

	report_open(&report, "report");
	rates = compare_rates(&report, writer->results, other, &nr_alone);
	environments = compare_environments(&report, writer->results, other);
	writer->format->heading(writer->to, "Comparison");
	put_machines(writer, other);
	if (rates->nr_rows)
		put_all_columns(writer, rates);
	else
		put_text(writer, "The two results have no rate in common.");
	put_text(writer,
		 "THIS / OTHER is the ratio of the medians, with the noise behind ±: a smaller "
		 "difference from 1 than that is shown as no difference. The noise is twice the "
		 "standard deviation of the difference of two single rounds.");
	if (nr_alone)
		put_text(writer,
			 "%u rates have no counterpart, because only one of the two has them.",
			 nr_alone);
	if (environments->nr_rows)
		put_all_columns(writer, environments);
	report_close(&report);
}
