// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/machine/machine.h"
#include "cli/report/report.h"
#include "cli/topo/topo.h"
#include "crew/placement.h"

static struct topo_options {
	struct output_options output;
	const char *synthetic;
} options;

static const struct opt opts[] = {
	OPT(TEXT, "synthetic", topo_options, synthetic, "DESC",
	    "place workers on an hwloc synthetic machine instead of this one, such as \"pack:2 "
	    "l3:8 "
	    "core:8 pu:2\""),
	{.name = NULL},
};

enum { NODE_ID, NODE_CLASS, NODE_TOTAL, NODE_FREE, NODE_CPUS, NODE_TIER, NODE_NEAR, NODE_DIST };

static const struct column node_columns[] = {
	[NODE_ID] = {"node", "NODE", COLUMN_COUNT, 0, false},
	[NODE_CLASS] = {"class", "CLASS", COLUMN_TEXT, 0, false},
	[NODE_TOTAL] = {"total_gib", "GiB", COLUMN_REAL, 1, false},
	[NODE_FREE] = {"free_gib", "FREE GiB", COLUMN_REAL, 1, false},
	[NODE_CPUS] = {"cpus", "CPUS", COLUMN_TEXT, 0, false},
	[NODE_TIER] = {"tier", "TIER", COLUMN_COUNT, 0, false},
	[NODE_NEAR] = {"initiators", "BEST FROM", COLUMN_TEXT, 0, false},
	[NODE_DIST] = {"distances", "DISTANCE TO EACH NODE", COLUMN_TEXT, 0, false},
};

enum { L3_INDEX, L3_NODE, L3_CPUS, L3_CORES };

static const struct column l3_columns[] = {
	[L3_INDEX] = {"l3", "L3", COLUMN_COUNT, 0, false},
	[L3_NODE] = {"node", "NODE", COLUMN_COUNT, 0, false},
	[L3_CPUS] = {"cpus", "CPUS", COLUMN_TEXT, 0, false},
	[L3_CORES] = {"cores", "CORES", COLUMN_COUNT, 0, false},
};

enum { PLACE_WORKER, PLACE_CPU, PLACE_CORE, PLACE_L3, PLACE_NODE, PLACE_SMT };

static const struct column place_columns[] = {
	[PLACE_WORKER] = {"worker", "WORKER", COLUMN_COUNT, 0, false},
	[PLACE_CPU] = {"cpu", "CPU", COLUMN_COUNT, 0, false},
	[PLACE_CORE] = {"core", "CORE", COLUMN_COUNT, 0, false},
	[PLACE_L3] = {"l3", "L3", COLUMN_COUNT, 0, false},
	[PLACE_NODE] = {"node", "NODE", COLUMN_COUNT, 0, false},
	[PLACE_SMT] = {"smt", "SMT", COLUMN_COUNT, 0, false},
};

#define GIB (1024.0 * 1024 * 1024)

struct table *topo_nodes_table(struct report *report)
{
	return report_table(report, "nodes", "NUMA nodes", node_columns, ARRAY_SIZE(node_columns));
}

static void report_add_nodes(struct report *report)
{
	struct machine *machine = cli_alloc(1, sizeof(*machine));
	struct table *table = topo_nodes_table(report);

	machine_read(machine);
	for (unsigned int i = 0; i < machine->nr; i++) {
		const struct node *node = &machine->v[i];
		char distances[MACHINE_NODES_MAX * 5] = "";

		for (unsigned int j = 0; j < machine->nr; j++) {
			size_t len = strlen(distances);

			snprintf(distances + len, sizeof(distances) - len, "%s%d", j ? " " : "",
				 machine->distance[i][j]);
		}
		table_row(table);
		table_count(table, NODE_ID, node->id);
		table_text(table, NODE_CLASS, "%s", node_class_name(node->class));
		table_real(table, NODE_TOTAL, (double)node->total_bytes / GIB);
		table_real(table, NODE_FREE, (double)node->free_bytes / GIB);
		if (node->has_cpus)
			table_text(table, NODE_CPUS, "%s", node->cpus);
		if (node->tier >= 0)
			table_count(table, NODE_TIER, node->tier);
		if (*node->initiators)
			table_text(table, NODE_NEAR, "%s", node->initiators);
		table_text(table, NODE_DIST, "%s", distances);
	}
	free(machine);
}

/* "0-3,8" */
static void cpus_format(const cpu_set_t *cpus, char *buf, size_t buf_bytes)
{
	size_t len = 0;

	buf[0] = '\0';
	for (int first = 0; first < CPU_SETSIZE && len < buf_bytes; first++) {
		int last = first;

		if (!CPU_ISSET(first, cpus))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus))
			last++;
		len += (size_t)snprintf(buf + len, buf_bytes - len,
					last > first ? "%s%d-%d" : "%s%d", len ? "," : "", first,
					last);
		first = last;
	}
}

static void table_add_l3(struct table *table, const struct placement *placement, int l3)
{
	const struct place *any = NULL;
	int nr_cores = 0;
	char cpus[CELL_TEXT_BYTES];

	for (unsigned int i = 0; i < placement->nr_places; i++) {
		const struct place *place = &placement->places[i];

		if (place->l3 != l3)
			continue;
		any = place;
		nr_cores += place->smt == 0;
	}
	if (!any)
		return;
	cpus_format(&any->cpus, cpus, sizeof(cpus));
	table_row(table);
	table_count(table, L3_INDEX, l3);
	if (any->node >= 0)
		table_count(table, L3_NODE, any->node);
	table_text(table, L3_CPUS, "%s", cpus);
	table_count(table, L3_CORES, nr_cores);
}

static void report_add_placement(struct report *report, const struct placement *placement)
{
	struct table *domains = report_table(report, "l3_domains", "L3 cache domains", l3_columns,
					     ARRAY_SIZE(l3_columns));
	struct table *places =
		report_table(report, "places",
			     "CPUs of the worker threads, in the order in which workers start",
			     place_columns, ARRAY_SIZE(place_columns));
	int last_l3 = -1;

	for (unsigned int i = 0; i < placement->nr_places; i++)
		last_l3 = MAX(last_l3, placement->places[i].l3);
	for (int l3 = 0; l3 <= last_l3; l3++)
		table_add_l3(domains, placement, l3);

	for (unsigned int i = 0; i < placement->nr_places; i++) {
		const struct place *place = &placement->places[i];

		table_row(places);
		table_count(places, PLACE_WORKER, i);
		table_count(places, PLACE_CPU, place->cpu);
		table_count(places, PLACE_CORE, place->core);
		table_count(places, PLACE_L3, place->l3);
		if (place->node >= 0)
			table_count(places, PLACE_NODE, place->node);
		table_count(places, PLACE_SMT, place->smt);
	}
	if (placement->quota_cpus)
		report_note(report, "The cgroup's cpu.max allows %u CPUs; no more workers start.",
			    placement->quota_cpus);
	json_object_set_new(report->facts, "synthetic", json_boolean(options.synthetic != NULL));
}

static int topo_write(struct placement *placement, int placement_err)
{
	struct report report;
	int code = CLI_OK;

	report_open(&report, "topo");
	if (!options.synthetic)
		report_add_nodes(&report);
	if (placement)
		report_add_placement(&report, placement);
	else
		report_note(&report, "Caches and cores are unknown: hwloc: %s.",
			    strerror(-placement_err));
	if (report_write(&report, &options.output))
		code = CLI_FAILED;
	report_close(&report);
	return code;
}

static int topo_run(void)
{
	struct placement *placement = NULL;
	int code, err;

	err = placement_open(options.synthetic, &placement);
	if (err && options.synthetic)
		code = cli_usage_error(
			"--synthetic '%s': hwloc rejects it; try \"pack:2 l3:4 core:8 pu:2\"",
			options.synthetic);
	else if (options.output.plot)
		code = cli_usage_error(
			"--plot: topo has nothing to draw; lstopo draws the machine");
	else
		code = topo_write(placement, err);
	placement_close(placement);
	return code;
}

const struct command topo_command = {
	.name = "topo",
	.summary = "NUMA nodes, distances, cache domains, and where workers run",
	.about = "Shows the NUMA nodes with their distances and kinds of memory, the L3 cache\n"
		 "domains, and the CPUs of the worker threads, in the order in which they start.",
	.opts = opts,
	.options = &options,
	.run = topo_run,
};
