// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * build/bench/sim: the policy on simulated machines, beside the best fixed choice and the kernel's
 * call alone; with --published, the simulator beside published measurements.
 */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/sim/sim.h"
#include "cli/args/args.h"
#include "cli/report/report.h"

#define MACHINES "bench/sim/machines"

static struct sim_options {
	struct output_options output;
	struct text_list machines;
	struct uint_list sizes, folios;
	struct text_list loads;
	bool published;
} options = {
	.machines = {{"zen3-2s", "zen5-16ccd", "xeon-2s-dsa", "grace-gpu", "cxl", "vm-2cpu",
		      "vm-4cpu-zen5", "512cpu-64node"},
		     8},
	.sizes = {{4 << 10, 64 << 10, 1 << 20, 16 << 20, 256 << 20, 1 << 30}, 6},
	.folios = {{PAGE_BYTES, 16 * PAGE_BYTES, HUGE_BYTES}, 3},
	.loads = {{"none", "half", "all", "4x"}, 4},
};

static const char *const load_words[] = {"none", "half", "all", "4x", NULL};

static const struct opt opts[] = {
	OPT(TEXTS, "machine", sim_options, machines, "LIST",
	    "names of files in " MACHINES "; default all"),
	OPT(SIZES, "size", sim_options, sizes, "LIST",
	    "bytes to move; default 4k,64k,1M,16M,256M,1G", .min = PAGE_BYTES, .max = 1ULL << 36),
	OPT(SIZES, "folio", sim_options, folios, "LIST", "folio sizes; default 4k,64k,2M",
	    .min = PAGE_BYTES, .max = HUGE_BYTES, .power_of_two = true),
	OPT(TEXTS, "load", sim_options, loads, "LIST",
	    "busy threads: none, half, all, 4x the CPUs; default all four", .words = load_words),
	OPT(FLAG, "published", sim_options, published, NULL,
	    "compare the simulator with published measurements instead"),
	{.name = NULL},
};

enum {
	CELL_MACHINE,
	CELL_REACH,
	CELL_BYTES,
	CELL_FOLIO,
	CELL_LOAD,
	CELL_KERNEL,
	CELL_BEST,
	CELL_POLICY,
	CELL_PREDICTED,
	CELL_TO_BEST,
	CELL_TO_KERNEL,
	CELL_PLAN,
	CELL_BEST_PLAN,
};

static const struct column cell_columns[] = {
	[CELL_MACHINE] = {"machine", "MACHINE", COLUMN_TEXT, 0, false},
	[CELL_REACH] = {"reach", "REACH", COLUMN_TEXT, 0, false},
	[CELL_BYTES] = {"bytes", "SIZE", COLUMN_BYTES, 0, false},
	[CELL_FOLIO] = {"folio_bytes", "FOLIO", COLUMN_BYTES, 0, false},
	[CELL_LOAD] = {"load", "LOAD", COLUMN_TEXT, 0, false},
	[CELL_KERNEL] = {"kernel_us", "CALL µs", COLUMN_REAL, 1, false},
	[CELL_BEST] = {"best_us", "BEST FIXED µs", COLUMN_REAL, 1, false},
	[CELL_POLICY] = {"policy_us", "POLICY µs", COLUMN_REAL, 1, false},
	[CELL_PREDICTED] = {"predicted_us", "PREDICTED µs", COLUMN_REAL, 1, false},
	[CELL_TO_BEST] = {"time_to_best", "x BEST", COLUMN_REAL, 2, false},
	[CELL_TO_KERNEL] = {"times_as_fast_as_kernel", "x CALL", COLUMN_REAL, 2, false},
	[CELL_PLAN] = {"plan", "PLAN", COLUMN_TEXT, 0, false},
	[CELL_BEST_PLAN] = {"best_plan", "BEST FIXED", COLUMN_TEXT, 0, false},
};

enum { PUB_MACHINE, PUB_TABLE, PUB_ROW, PUB_PUBLISHED, PUB_SIMULATED, PUB_RATIO, PUB_SOURCE };

static const struct column published_columns[] = {
	[PUB_MACHINE] = {"machine", "MACHINE", COLUMN_TEXT, 0, false},
	[PUB_TABLE] = {"table", "TABLE", COLUMN_TEXT, 0, false},
	[PUB_ROW] = {"row", "ROW", COLUMN_TEXT, 0, false},
	[PUB_PUBLISHED] = {"published", "PUBLISHED", COLUMN_REAL, 2, false},
	[PUB_SIMULATED] = {"simulated", "SIMULATED", COLUMN_REAL, 2, false},
	[PUB_RATIO] = {"ratio", "RATIO", COLUMN_REAL, 2, false},
	[PUB_SOURCE] = {"source", "SOURCE", COLUMN_TEXT, 0, false},
};

/* 0 or an exit code. */
static int machine_load(const char *name, struct sim_machine *out)
{
	char path[256], why[200];

	snprintf(path, sizeof(path), MACHINES "/%s.json", name);
	if (!sim_machine_load(path, out, why, sizeof(why)))
		return 0;
	return cli_usage_error("--machine %s: %s", name, why);
}

static int report_published(struct report *report)
{
	struct table *table = report_table(report, "published", "Published measurements, simulated",
					   published_columns, ARRAY_SIZE(published_columns));

	for (unsigned int i = 0; i < sim_nr_published; i++) {
		const struct sim_published *row = &sim_published[i];
		struct sim_machine machine;
		double simulated;
		int code = machine_load(row->machine, &machine);

		if (code)
			return code;
		simulated = row->simulate(&machine, row);
		table_row(table);
		table_text(table, PUB_MACHINE, "%s", row->machine);
		table_text(table, PUB_TABLE, "%s", row->table);
		table_text(table, PUB_ROW, "%s", row->row);
		table_real(table, PUB_PUBLISHED, row->published);
		table_real(table, PUB_SIMULATED, simulated);
		table_real(table, PUB_RATIO, simulated / row->published);
		table_text(table, PUB_SOURCE, "%s", row->source);
	}
	return 0;
}

/* ---- the policy ---- */

struct tally {
	unsigned int nr, nr_near, nr_below_kernel;
	double worst;
};

static void cell_plan(struct table *table, unsigned int column, const struct choose_plan *plan)
{
	char chunk[SIZE_TEXT_BYTES], part[24] = "", gather[24] = "";

	if (plan->kind == CHOOSE_CALL) {
		table_text(table, column, "call");
		return;
	}
	if (plan->kind == CHOOSE_SLICES) {
		table_text(table, column, "slices, %u workers", plan->nr_workers);
		return;
	}
	if (plan->nr_devices)
		snprintf(part, sizeof(part), ", devices %.0f %%", 100 * plan->device_part);
	if (choose_is_together(plan->kind))
		snprintf(gather, sizeof(gather), "%u x ", plan->gather);
	table_text(table, column, "%s, %u workers, %s%s%s",
		   choose_is_together(plan->kind) ? "together" : "apart", plan->nr_workers, gather,
		   size_text(plan->chunk_bytes, chunk), part);
}

static void report_cell(struct table *table, const struct sim_cell *cell, const char *machine,
			struct tally *tally)
{
	double to_best = cell->policy_ns / cell->best_ns;

	tally->nr++;
	tally->nr_near += to_best <= 1.1;
	tally->nr_below_kernel += cell->policy_ns > cell->kernel_ns / 0.95;
	tally->worst = fmax(tally->worst, to_best);
	table_row(table);
	table_text(table, CELL_MACHINE, "%s", machine);
	table_text(table, CELL_REACH, "%s", profile_reach_name(cell->reach));
	table_count(table, CELL_BYTES, (int64_t)cell->bytes);
	table_count(table, CELL_FOLIO, (int64_t)cell->folio_bytes);
	table_text(table, CELL_LOAD, "%s", cell->load_name);
	table_real(table, CELL_KERNEL, cell->kernel_ns / 1e3);
	table_real(table, CELL_BEST, cell->best_ns / 1e3);
	table_real(table, CELL_POLICY, cell->policy_ns / 1e3);
	table_real(table, CELL_PREDICTED, cell->predicted_ns / 1e3);
	table_real(table, CELL_TO_BEST, to_best);
	table_real(table, CELL_TO_KERNEL, cell->kernel_ns / cell->policy_ns);
	cell_plan(table, CELL_PLAN, &cell->policy);
	cell_plan(table, CELL_BEST_PLAN, &cell->best);
}

static void report_loads(struct table *table, const struct profile *profile, const char *name,
			 struct sim_cell *cell, struct tally *tally)
{
	for (unsigned int level = 0; level < ARRAY_SIZE(sim_load_names); level++) {
		if (!text_list_has(&options.loads, sim_load_names[level]))
			continue;
		sim_load_level(cell->machine, level, &cell->load);
		cell->load_name = sim_load_names[level];
		for (unsigned int f = 0; f < options.folios.nr; f++) {
			cell->folio_bytes = options.folios.v[f];
			for (unsigned int s = 0; s < options.sizes.nr; s++) {
				cell->bytes = options.sizes.v[s];
				if (cell->bytes < cell->folio_bytes)
					continue;
				cli_progress("%s, load %s", name, cell->load_name);
				sim_judge(profile, cell);
				report_cell(table, cell, name, tally);
			}
		}
	}
}

static int report_policy(struct report *report)
{
	struct table *table =
		report_table(report, "cells", NULL, cell_columns, ARRAY_SIZE(cell_columns));
	struct tally tally = {.nr = 0};

	for (unsigned int i = 0; i < options.machines.nr; i++) {
		struct sim_machine machine;
		struct profile profile;
		struct sim_cell cell = {.machine = &machine};
		int code = machine_load(options.machines.v[i], &machine);

		if (code)
			return code;
		sim_calibrate(&machine, &profile);
		for (unsigned int r = 0; r < machine.nr_reaches; r++) {
			cell.reach = machine.reaches[r];
			report_loads(table, &profile, options.machines.v[i], &cell, &tally);
		}
	}
	report_note(report,
		    "%u cells; the policy takes at most 1.1 times as long as the best fixed choice "
		    "in %u of them, %.2f times at worst; longer than the call / 0.95 in %u.",
		    tally.nr, tally.nr_near, tally.worst, tally.nr_below_kernel);
	return 0;
}

static int sim_main(void)
{
	struct report report;
	int code;

	if (options.output.plot)
		return cli_usage_error("--plot: there is nothing to draw");
	report_open(&report, "sim");
	code = options.published ? report_published(&report) : report_policy(&report);
	cli_progress_end();
	if (!code && report_write(&report, &options.output))
		code = CLI_FAILED;
	report_close(&report);
	return code;
}

int main(int argc, char **argv)
{
	static const struct command command = {
		.name = "sim",
		.about = "Simulates machines in virtual time, and compares the policy there with "
			 "the\n"
			 "best fixed choice and with the kernel's call. Run it from the top of the "
			 "tree.",
		.opts = opts,
		.options = &options,
		.run = sim_main,
	};
	int exit_code;

	setlocale(LC_CTYPE, "C.UTF-8");
	cli_set_command(command.name);
	if (args_parse(&command, argc, argv, &exit_code))
		return exit_code;
	cli_set_quiet(options.output.quiet);
	return command.run();
}
