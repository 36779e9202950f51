// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <numa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/common.h"
#include "cli/machine/machine.h"
#include "cli/machine/sysfs.h"

const char *node_class_name(enum node_class class)
{
	static const char *const names[] = {
		[NODE_DRAM] = "dram",
		[NODE_MEMORY] = "memory-only (cxl or unknown)",
		[NODE_HBM] = "hbm",
		[NODE_COHERENT] = "device-coherent",
		[NODE_NO_MEMORY] = "no memory",
	};

	return names[class];
}

/* "Node 0 MemTotal:  123 kB" */
static void node_read_meminfo(struct node *node)
{
	char path[64], line[128];
	unsigned long long kb;
	FILE *file;

	snprintf(path, sizeof(path), SYSFS_NODE "/node%d/meminfo", node->id);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %*d MemTotal: %llu", &kb) == 1)
			node->total_bytes = kb << 10;
		else if (sscanf(line, "Node %*d MemFree: %llu", &kb) == 1)
			node->free_bytes = kb << 10;
	}
	fclose(file);
}

static void node_read_initiators(struct node *node)
{
	for (int i = 0; i < MAX_NODES; i++) {
		char path[96], line[8];
		size_t len = strlen(node->initiators);

		snprintf(path, sizeof(path), SYSFS_NODE "/node%d/access0/initiators/node%d/cpumap",
			 node->id, i);
		if (sysfs_line(line, sizeof(line), "%s", path) == 0)
			snprintf(node->initiators + len, sizeof(node->initiators) - len, "%s%d",
				 len ? "," : "", i);
		if (i >= MACHINE_NODES_MAX)
			break;
	}
}

/* The kernel numbers tiers by abstract distance: a smaller number is faster memory. */
static int node_tier(int id)
{
	for (int tier = 0; tier < 4096; tier++) {
		char list[128];

		if (sysfs_line(list, sizeof(list), SYSFS_TIERS "/memory_tier%d/nodelist", tier))
			continue;
		if (sysfs_list_has(list, id))
			return tier;
	}
	return -1;
}

static void machine_add_node(void *arg, int id)
{
	struct machine *machine = arg;
	struct node *node;

	if (machine->nr == MACHINE_NODES_MAX)
		return;
	node = &machine->v[machine->nr++];
	node->id = id;
	node_read_meminfo(node);
	sysfs_line(node->cpus, sizeof(node->cpus), SYSFS_NODE "/node%d/cpulist", id);
	node->has_cpus = node->cpus[0];
	node_read_initiators(node);
	node->tier = node_tier(id);
}

static int machine_dram_tier(const struct machine *machine)
{
	int best = -1;

	for (unsigned int i = 0; i < machine->nr; i++) {
		const struct node *node = &machine->v[i];

		if (node->has_cpus && node->tier >= 0 && (best < 0 || node->tier < best))
			best = node->tier;
	}
	return best;
}

static enum node_class node_classify(const struct node *node, int dram_tier, const char *devices)
{
	if (!node->total_bytes)
		return NODE_NO_MEMORY;
	if (node->has_cpus)
		return NODE_DRAM;
	if (sysfs_list_has(devices, node->id))
		return NODE_COHERENT;
	if (dram_tier >= 0 && node->tier >= 0 && node->tier < dram_tier)
		return NODE_HBM;
	return NODE_MEMORY;
}

static void machine_read_distances(struct machine *machine)
{
	for (unsigned int i = 0; i < machine->nr; i++) {
		char line[1024], *text = line;

		sysfs_line(line, sizeof(line), SYSFS_NODE "/node%d/distance", machine->v[i].id);
		for (unsigned int j = 0; j < machine->nr; j++)
			machine->distance[i][j] = (int)strtol(text, &text, 10);
	}
}

void machine_read(struct machine *out)
{
	char online[256], devices[256];
	int dram_tier;

	memset(out, 0, sizeof(*out));
	if (sysfs_line(online, sizeof(online), SYSFS_NODE "/online"))
		strcpy(online, "0");
	sysfs_each(online, machine_add_node, out);
	machine_read_distances(out);

	sysfs_line(devices, sizeof(devices), SYSFS_NODE "/has_generic_initiator");
	dram_tier = machine_dram_tier(out);
	for (unsigned int i = 0; i < out->nr; i++)
		out->v[i].class = node_classify(&out->v[i], dram_tier, devices);
}

/* The ids of the nodes that have memory; their number. */
static unsigned int machine_memory_nodes(const struct machine *machine, int ids[MACHINE_NODES_MAX])
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < machine->nr; i++) {
		if (machine->v[i].class != NODE_NO_MEMORY)
			ids[nr++] = machine->v[i].id;
	}
	/* A kernel without NUMA lists no node. */
	if (!nr)
		ids[nr++] = 0;
	return nr;
}

static bool node_is_listed(const int *ids, unsigned int nr, int node)
{
	for (unsigned int i = 0; i < nr; i++) {
		if (ids[i] == node)
			return true;
	}
	return false;
}

int machine_choose_nodes(int from, int to, bool fresh, int node[2])
{
	struct machine *machine = cli_alloc(1, sizeof(*machine));
	int ids[MACHINE_NODES_MAX];
	unsigned int nr;

	machine_read(machine);
	nr = machine_memory_nodes(machine, ids);
	free(machine);
	node[0] = from >= 0 ? from : ids[0];
	node[1] = to;
	for (unsigned int i = 0; node[1] < 0 && i < nr; i++) {
		if (ids[i] != node[0])
			node[1] = ids[i];
	}
	if (fresh || node[1] < 0)
		node[1] = node[0];
	for (unsigned int end = 0; end < 2; end++) {
		if (!node_is_listed(ids, nr, node[end]))
			return cli_usage_error(
				"--%s %d: this node has no memory; `migbench topo` lists nodes",
				end ? "to" : "from", node[end]);
	}
	return CLI_OK;
}

int machine_parse_node(const char *text, int *out, char *why, size_t why_bytes)
{
	struct bitmask *mask;
	unsigned int nr;

	if (numa_available() < 0) {
		snprintf(why, why_bytes, "this kernel has no NUMA support");
		return -EINVAL;
	}
	mask = numa_parse_nodestring(text);
	if (!mask) {
		snprintf(why, why_bytes, "no such node here; `migbench topo` lists them");
		return -EINVAL;
	}
	nr = numa_bitmask_weight(mask);
	for (unsigned int i = 0; i < mask->size && nr == 1; i++) {
		if (numa_bitmask_isbitset(mask, i))
			*out = (int)i;
	}
	numa_bitmask_free(mask);
	if (nr == 1)
		return 0;
	snprintf(why, why_bytes, "expected one node, this names %u", nr);
	return -EINVAL;
}
