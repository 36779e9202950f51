// SPDX-License-Identifier: LGPL-2.1-or-later
/* What was measured: tables, plots, and what each figure means. */
#include <stdlib.h>
#include <string.h>

#include "cli/copy/table.h"
#include "cli/full_report/results.h"
#include "cli/full_report/sections.h"
#include "cli/move/table.h"

static const char *const move_keys[] = {
	"folio_bytes", "folios",    "mover",         "workers",      "gb_per_s",   "vs_kernel",
	"limit_ratio", "ns_per_4k", "cpu_s_per_gib", "max_stall_us", "moved_part", "main_reason",
	"rounds",      NULL,
};

static const char *const copy_keys[] = {
	"folio_bytes", "folios",  "kernel",        "workers",        "gb_per_s", "limit_gb_per_s",
	"limit_ratio", "vs_loop", "cpu_s_per_gib", "nr_left_to_cpu", "rounds",   NULL,
};

static const struct {
	const char *key, *meaning;
} meanings[] = {
	{"folio_bytes", "what the kernel handles as one page: 4K pages, 2M huge pages"},
	{"folios", "the kind of folio; 4k-group: consecutive 4 KiB pages stand in for folios that "
		   "the kernel does not allocate here"},
	{"mover", "syscall is one plain move_pages(2), the baseline; call is one "
		  "ferry_move_pages(); kernel, exchange and auto are jobs by that mover or by the "
		  "policy's choice"},
	{"kernel", "the loop that copies bytes, by CPU feature"},
	{"workers", "threads; empty where the policy chooses"},
	{"gb_per_s",
	 "bytes moved or copied per second, 1e9 bytes each: median of the rounds ± median "
	 "absolute deviation"},
	{"vs_kernel", "how many times as fast as syscall"},
	{"limit_gb_per_s", "the best that plain pinned copy loops reach on the same memory in the "
			   "same run; nothing that copies is faster"},
	{"limit_ratio", "the part of the copy limit that is reached; the rest of 1 is the cost of "
			"all that is not copying; more than 1 is noise"},
	{"vs_loop", "how many times as fast as one plain copy loop"},
	{"ns_per_4k", "elapsed time per 4 KiB"},
	{"cpu_s_per_gib", "CPU time of the whole process per GiB"},
	{"max_stall_us", "the longest time in any round that a page was in flight; a thread that "
			 "accesses it waits that long at most"},
	{"moved_part", "part of the pages that moved, in the worst round"},
	{"main_reason", "why most of the pages that went by the kernel did so"},
	{"rounds", "how often it was measured; the spread of fewer than three says nothing"},
	{"nr_left_to_cpu", "copies that the engine left to the CPU"},
};

/* An error of each step of a command that has one. */
static void put_errors(const struct writer *writer, const char *command)
{
	size_t i;
	json_t *step;

	json_array_foreach(json_object_get(writer->results, "steps"), i, step)
	{
		const char *name = json_string_value(json_object_get(step, "command"));
		const char *line = json_string_value(json_object_get(step, "arguments"));
		const char *error = json_string_value(json_object_get(step, "error"));

		if (error && name && !strcmp(name, command))
			put_text(writer, "Not measured: %s: %s.", line ? line : name, error);
	}
}

static void put_notes(const struct writer *writer, const char *command)
{
	json_t *notes = results_rows(writer->results, command, "notes"), *note;
	size_t i;

	json_array_foreach(notes, i, note)
	{
		bool seen = false;

		for (size_t j = 0; j < i; j++)
			seen |= json_equal(note, json_array_get(notes, j));
		if (!seen && json_is_string(note))
			put_text(writer, "%s", json_string_value(note));
	}
	json_decref(notes);
}

static void put_measured(const struct writer *writer, const struct table *table,
			 const struct plot *plot, const char *const *keys)
{
	struct page_columns columns = page_columns_of(table, keys);

	if (!table->nr_rows)
		return;
	if (writer->format->plot)
		writer->format->plot(writer->to, plot);
	writer->format->table(writer->to, table, &columns);
}

/* On a machine with other work, medians of few rounds differ from run to run. */
static void put_noise(const struct writer *writer, const struct table *table)
{
	unsigned int rate = (unsigned int)table_find_column(table, "gb_per_s"), nr_noisy = 0;

	for (unsigned int row = 0; row < table->nr_rows; row++) {
		const struct cell *cell = table_cell(table, row, rate);

		nr_noisy += cell->spread > cell->real / 10;
	}
	if (nr_noisy)
		put_text(
			writer,
			"Noise: the spread is more than a tenth of the median in %u of %u rows, so "
			"something disturbed the rounds. The ratios suffer less than the rates.",
			nr_noisy, table->nr_rows);
}

static void table_read(struct table *table, const struct writer *writer, const char *command)
{
	json_t *rows = results_rows(writer->results, command, "results");

	table_add_json(table, rows);
	json_decref(rows);
}

static void measured_plot_init(struct plot *plot, const char *subtitle)
{
	plot_init(plot, "", "folio size", "GB/s, more is better");
	plot_subtitle(plot, "%s", subtitle);
	plot->limit_label = "copy limit";
}

void section_moving(const struct writer *writer)
{
	struct report report;
	struct table *table;
	struct plot plot;

	report_open(&report, "move");
	table = move_table(&report);
	table_read(table, writer, "move");
	measured_plot_init(&plot, "Whole moves, with planning and statuses: medians; thin lines: "
				  "median absolute deviation.");
	move_table_draw(table, &plot);
	writer->format->heading(writer->to, "Moving pages");
	put_measured(writer, table, &plot, move_keys);
	put_noise(writer, table);
	put_notes(writer, "move");
	put_errors(writer, "move");
	report_close(&report);
}

void section_copying(const struct writer *writer)
{
	struct report report;
	struct table *table;
	struct plot plot;

	report_open(&report, "copy");
	table = copy_table(&report);
	table_read(table, writer, "copy");
	measured_plot_init(&plot, "Copies alone, without moving pages: medians; thin lines: median "
				  "absolute deviation.");
	copy_table_draw(table, &plot);
	writer->format->heading(writer->to, "Copying");
	put_measured(writer, table, &plot, copy_keys);
	put_noise(writer, table);
	put_errors(writer, "copy");
	report_close(&report);
}

/* Both tables have some of the columns, under titles of their own. */
static void put_meaning(const struct writer *writer, const char *key, const char *meaning,
			const struct table *const tables[2])
{
	const char *title = NULL;
	char *term = NULL;

	for (unsigned int i = 0; i < 2; i++) {
		int column = table_find_column(tables[i], key);

		if (column < 0 || !table_column_used(tables[i], (unsigned int)column))
			continue;
		if (title && strcmp(title, tables[i]->columns[column].title))
			term = cli_format("%s, %s", title, tables[i]->columns[column].title);
		title = tables[i]->columns[column].title;
	}
	if (title)
		put_item(writer, term ? term : title, "%s", meaning);
	free(term);
}

void section_meanings(const struct writer *writer)
{
	struct report report;
	struct table *tables[2];

	report_open(&report, "report");
	tables[0] = move_table(&report);
	tables[1] = copy_table(&report);
	table_read(tables[0], writer, "move");
	table_read(tables[1], writer, "copy");
	if (tables[0]->nr_rows || tables[1]->nr_rows) {
		writer->format->heading(writer->to, "What the figures mean");
		writer->format->list_begin(writer->to);
		for (unsigned int i = 0; i < ARRAY_SIZE(meanings); i++)
			put_meaning(writer, meanings[i].key, meanings[i].meaning,
				    (const struct table *const *)tables);
		writer->format->list_end(writer->to);
	}
	report_close(&report);
}

static double row_real(const struct table *table, unsigned int row, const char *key)
{
	const struct cell *cell =
		table_cell(table, row, (unsigned int)table_find_column(table, key));

	return cell->set ? cell->real : 0;
}

static int64_t row_count(const struct table *table, unsigned int row, const char *key)
{
	return table_cell(table, row, (unsigned int)table_find_column(table, key))->count;
}

static const char *row_text(const struct table *table, unsigned int row, const char *key)
{
	const char *text =
		table_cell(table, row, (unsigned int)table_find_column(table, key))->text;

	return text ? text : "";
}

/* The fastest row of a folio size that pageferry has moved; -1 if there is none. */
static int fastest_row(const struct table *table, int64_t folio_bytes)
{
	int best = -1;

	for (unsigned int row = 0; row < table->nr_rows; row++) {
		if (row_count(table, row, "folio_bytes") != folio_bytes ||
		    !strcmp(row_text(table, row, "mover"), "syscall"))
			continue;
		if (best < 0 || row_real(table, row, "gb_per_s") >
					row_real(table, (unsigned int)best, "gb_per_s"))
			best = (int)row;
	}
	return best;
}

static void put_fastest(const struct writer *writer, const struct table *table, unsigned int row)
{
	char folio[SIZE_TEXT_BYTES], rate[CELL_TEXT_BYTES + 40];
	double vs_kernel = row_real(table, row, "vs_kernel");
	double of_limit = row_real(table, row, "limit_ratio");
	int64_t nr_workers = row_count(table, row, "workers");
	char by[64] = "", times[64] = "", part[64] = "";

	size_text((uint64_t)row_count(table, row, "folio_bytes"), folio);
	table_cell_text(table, row, (unsigned int)table_find_column(table, "gb_per_s"), "±", rate);
	if (nr_workers)
		snprintf(by, sizeof(by), " with %lld worker%s", (long long)nr_workers,
			 nr_workers == 1 ? "" : "s");
	if (of_limit > 0)
		snprintf(part, sizeof(part), ", %.2f of this machine's copy limit", of_limit);
	if (vs_kernel > 0)
		snprintf(times, sizeof(times), ", %.2f times the kernel's move_pages(2)",
			 vs_kernel);
	put_item(writer, folio, "%s GB/s by %s%s%s%s", rate, row_text(table, row, "mover"), by,
		 part, times);
}

static void put_fastest_list(const struct writer *writer, const struct table *table)
{
	int64_t last_folio = 0;

	writer->format->list_begin(writer->to);
	for (unsigned int row = 0; row < table->nr_rows; row++) {
		int64_t folio = row_count(table, row, "folio_bytes");
		int best = folio == last_folio ? -1 : fastest_row(table, folio);

		last_folio = folio;
		if (best >= 0)
			put_fastest(writer, table, (unsigned int)best);
	}
	writer->format->list_end(writer->to);
}

void section_summary(const struct writer *writer)
{
	struct report report;
	struct table *table;

	report_open(&report, "move");
	table = move_table(&report);
	table_read(table, writer, "move");
	if (json_is_true(
		    json_object_get(json_object_get(writer->results, "env"), "under_emulation")))
		put_text(writer, "The CPU is emulated: only ratios are meaningful.");
	if (!table->nr_rows)
		put_text(writer, "No move could be measured; the reasons are below.");
	else
		put_text(writer,
			 "The fastest moves %s, by folio size, in GB/s (1e9 bytes per second; "
			 "median ± median absolute deviation):",
			 row_count(table, 0, "from_node") == row_count(table, 0, "to_node")
				 ? "of pages to other frames of one node"
				 : "of pages between two nodes");
	if (table->nr_rows)
		put_fastest_list(writer, table);
	report_close(&report);
}
