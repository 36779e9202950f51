// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <numa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/common.h"
#include "cli/machine/machine.h"
#include "cli/machine/sysfs.h"

#define NODE_DIR "/sys/devices/system/node"
#define TIER_DIR "/sys/devices/virtual/memory_tiering"

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
static void read_meminfo(struct node *node)
{
	char path[64], line[128];
	unsigned long long kb;
	FILE *file;

	snprintf(path, sizeof(path), NODE_DIR "/node%d/meminfo", node->id);
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

static void read_initiators(struct node *node)
{
	for (int i = 0; i < MAX_NODES; i++) {
		char path[96], line[8];
		size_t len = strlen(node->initiators);

		snprintf(path, sizeof(path), NODE_DIR "/node%d/access0/initiators/node%d/cpumap",
			 node->id, i);
		if (sysfs_line(line, sizeof(line), "%s", path) == 0)
			snprintf(node->initiators + len, sizeof(node->initiators) - len, "%s%d",
				 len ? "," : "", i);
		if (i >= MACHINE_NODES_MAX)
			break;
	}
}

/* Tiers are numbered by abstract distance: a smaller number is faster memory. */
static int read_tier(int id)
{
	for (int tier = 0; tier < 4096; tier++) {
		char list[128];

		if (sysfs_line(list, sizeof(list), TIER_DIR "/memory_tier%d/nodelist", tier))
			continue;
		if (sysfs_list_has(list, id))
			return tier;
	}
	return -1;
}

static void add_node(void *arg, int id)
{
	struct machine *machine = arg;
	struct node *node;

	if (machine->nr == MACHINE_NODES_MAX)
		return;
	node = &machine->v[machine->nr++];
	node->id = id;
	read_meminfo(node);
	sysfs_line(node->cpus, sizeof(node->cpus), NODE_DIR "/node%d/cpulist", id);
	node->has_cpus = node->cpus[0];
	read_initiators(node);
	node->tier = read_tier(id);
}

static int best_dram_tier(const struct machine *machine)
{
	int best = -1;

	for (unsigned int i = 0; i < machine->nr; i++) {
		const struct node *node = &machine->v[i];

		if (node->has_cpus && node->tier >= 0 && (best < 0 || node->tier < best))
			best = node->tier;
	}
	return best;
}

static enum node_class classify(const struct node *node, int dram_tier, const char *devices)
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

static void read_distances(struct machine *machine)
{
	for (unsigned int i = 0; i < machine->nr; i++) {
		char line[1024], *text = line;

		sysfs_line(line, sizeof(line), NODE_DIR "/node%d/distance", machine->v[i].id);
		for (unsigned int j = 0; j < machine->nr; j++)
			machine->distance[i][j] = (int)strtol(text, &text, 10);
	}
}

void machine_read(struct machine *out)
{
	char online[256], devices[256];
	int dram_tier;

	memset(out, 0, sizeof(*out));
	if (sysfs_line(online, sizeof(online), NODE_DIR "/online"))
		strcpy(online, "0");
	sysfs_each(online, add_node, out);
	read_distances(out);

	sysfs_line(devices, sizeof(devices), NODE_DIR "/has_generic_initiator");
	dram_tier = best_dram_tier(out);
	for (unsigned int i = 0; i < out->nr; i++)
		out->v[i].class = classify(&out->v[i], dram_tier, devices);
}

unsigned int machine_memory_nodes(const struct machine *machine, int *ids, unsigned int max)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < machine->nr && nr < max; i++) {
		if (machine->v[i].class != NODE_NO_MEMORY)
			ids[nr++] = machine->v[i].id;
	}
	return nr;
}

int machine_pair(struct machine *machine, int from, int to, bool fresh, int node[2])
{
	int ids[MACHINE_NODES_MAX];
	unsigned int nr, i;

	machine_read(machine);
	nr = machine_memory_nodes(machine, ids, ARRAY_SIZE(ids));
	/* A kernel without NUMA tells nothing. */
	if (!nr)
		ids[nr++] = 0;
	node[0] = from >= 0 ? from : ids[0];
	node[1] = to;
	for (i = 0; node[1] < 0 && i < nr; i++) {
		if (ids[i] != node[0])
			node[1] = ids[i];
	}
	if (fresh || node[1] < 0)
		node[1] = node[0];
	for (unsigned int end = 0; end < 2; end++) {
		for (i = 0; i < nr && ids[i] != node[end];)
			i++;
		if (i == nr)
			return cli_usage_error(
				"--%s %d: has no memory; `migbench topo` lists nodes",
				end ? "to" : "from", node[end]);
	}
	return CLI_OK;
}

int node_parse(const char *text, int *out, char *why, size_t why_bytes)
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
	snprintf(why, why_bytes, "one node is wanted, this names %u", nr);
	return -EINVAL;
}
