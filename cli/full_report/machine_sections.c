// SPDX-License-Identifier: LGPL-2.1-or-later
/* What was measured on, and how. */
#include <stdlib.h>
#include <string.h>

#include "cli/doctor/doctor.h"
#include "cli/full_report/results.h"
#include "cli/full_report/sections.h"
#include "cli/machine/machine.h"
#include "cli/topo/topo.h"

static const char *const node_keys[] = {"node", "class",      "total_gib", "cpus",
					"tier", "initiators", "distances", NULL};

static void put_env(const struct writer *writer, const char *key, const char *term)
{
	char *value = results_env_value(writer->results, key);

	if (value)
		put_item(writer, term, "%s", value);
	free(value);
}

void section_machine(const struct writer *writer)
{
	json_t *rows = results_rows(writer->results, "topo", "nodes");
	struct page_columns columns;
	struct report report;
	struct table *table;

	writer->format->heading(writer->to, "Machine");
	writer->format->list_begin(writer->to);
	put_env(writer, "cpu_model", "CPU");
	put_env(writer, "nr_cpus", "CPUs");
	put_env(writer, "nr_cpus_allowed", "CPUs that the process may use");
	put_env(writer, "cgroup_cpu_max", "cpu.max of the cgroup");
	put_env(writer, "kernel", "Linux");
	put_env(writer, "machine", "architecture");
	put_env(writer, "library", "pageferry");
	put_env(writer, "time", "measured");
	writer->format->list_end(writer->to);
	report_open(&report, "topo");
	table = topo_nodes_table(&report);
	table_add_json(table, rows);
	columns = page_columns_of(table, node_keys);
	if (table->nr_rows)
		writer->format->table(writer->to, table, &columns);
	report_close(&report);
	json_decref(rows);
}

/* The sizes of folios between 4 KiB and 2 MiB that the kernel allocates. */
static void put_mthp(const struct writer *writer)
{
	json_t *sizes = json_object_get(json_object_get(writer->results, "env"), "mthp_kib"), *mode;
	char *list = cli_format("%s", "");
	const char *kib;

	json_object_foreach(sizes, kib, mode)
	{
		const char *word = json_string_value(mode);
		char *longer;

		/* The largest size is THP's. */
		if (!word || !strcmp(word, "never") || !strcmp(kib, "2048"))
			continue;
		longer = cli_format("%s%s%s KiB %s", list, *list ? ", " : "", kib, word);
		free(list);
		list = longer;
	}
	if (json_object_size(sizes))
		put_item(writer, "mTHP", "%s: folio sizes that the kernel allocates",
			 *list ? list : "none");
	free(list);
}

void section_settings(const struct writer *writer)
{
	writer->format->heading(writer->to, "Kernel settings that matter");
	writer->format->list_begin(writer->to);
	for (unsigned int i = 0; i < nr_machine_settings; i++) {
		const struct machine_setting *setting = &machine_settings[i];
		char *value = results_env_value(writer->results, setting->key);

		if (value)
			put_item(writer, setting->key, "%s (%s)", value, setting->effect);
		free(value);
	}
	put_mthp(writer);
	writer->format->list_end(writer->to);
}

enum { FINDING_SUBJECT, FINDING_USABLE, FINDING_DETAIL, FINDING_REMEDY };

static const char *const finding_keys[] = {
	[FINDING_SUBJECT] = "subject",
	[FINDING_USABLE] = "usable",
	[FINDING_DETAIL] = "detail",
	[FINDING_REMEDY] = "remedy",
};

static void put_finding(const struct writer *writer, const json_t *finding)
{
	const char *text[ARRAY_SIZE(finding_keys)];

	for (unsigned int i = 0; i < ARRAY_SIZE(finding_keys); i++) {
		text[i] = json_string_value(json_object_get(finding, finding_keys[i]));
		if (!text[i])
			text[i] = "";
	}
	put_item(writer, text[FINDING_SUBJECT], "%s%s%s%s",
		 json_is_true(json_object_get(finding, "usable")) ? "" : "no: ",
		 text[FINDING_DETAIL], *text[FINDING_REMEDY] ? "; remedy: " : "",
		 text[FINDING_REMEDY]);
}

/* What is usable first. */
void section_doctor(const struct writer *writer)
{
	json_t *findings = results_rows(writer->results, "doctor", "findings"), *finding;
	size_t i;

	writer->format->heading(writer->to, "What pageferry can use here");
	writer->format->list_begin(writer->to);
	for (int usable = 1; usable >= 0; usable--) {
		json_array_foreach(findings, i, finding)
		{
			if (json_is_true(json_object_get(finding, "usable")) == usable)
				put_finding(writer, finding);
		}
	}
	writer->format->list_end(writer->to);
	json_decref(findings);
}

void section_steps(const struct writer *writer)
{
	size_t i;
	json_t *step;

	writer->format->heading(writer->to, "How it was measured");
	put_text(writer,
		 "These commands ran one after another. report.json has all that they measured. "
		 "The rows of a folio size take turns, so that noise affects all of them, unless "
		 "the command has --order rows.");
	writer->format->list_begin(writer->to);
	json_array_foreach(json_object_get(writer->results, "steps"), i, step)
	{
		const char *line = json_string_value(json_object_get(step, "arguments"));

		if (line)
			put_item(writer, NULL, "%s (%.1f s)", line,
				 json_number_value(json_object_get(step, "seconds")));
	}
	writer->format->list_end(writer->to);
}
