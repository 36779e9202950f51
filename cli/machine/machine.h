/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NUMA nodes as sysfs and libnuma show them. */
#ifndef MIGBENCH_MACHINE_H
#define MIGBENCH_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_NODES_MAX 64

enum node_class {
	NODE_DRAM,     /* CPUs and memory */
	NODE_MEMORY,   /* memory without CPUs: CXL, persistent, or not told */
	NODE_HBM,      /* memory without CPUs that is faster than the CPUs' own */
	NODE_COHERENT, /* memory of a device (generic initiator) */
	NODE_NO_MEMORY,
};

struct node {
	int id;
	enum node_class class;
	bool has_cpus;
	uint64_t total_bytes;
	uint64_t free_bytes;
	int tier;            /* of /sys/devices/virtual/memory_tiering; -1 unknown */
	char cpus[128];      /* "0-3,8" */
	char initiators[64]; /* nodes that reach it best */
};

struct machine {
	unsigned int nr;
	struct node v[MACHINE_NODES_MAX];
	int distance[MACHINE_NODES_MAX][MACHINE_NODES_MAX];
};

/* Never fails: a kernel without NUMA has node 0. */
void machine_read(struct machine *out);
const char *node_class_name(enum node_class class);

/* Nodes that have memory; the ids of the first max of them. */
unsigned int machine_memory_nodes(const struct machine *machine, int *ids, unsigned int max);

/*
 * Two ends to move between: from and to if they are given (not -1), else the first nodes that have
 * memory; the same twice where there is one, or if fresh. 0, or an exit code after having said why.
 */
int machine_pair(struct machine *machine, int from, int to, bool fresh, int node[2]);

/* One node in numactl's grammar ("1", "+0"). -EINVAL with a sentence in why. */
int node_parse(const char *text, int *out, char *why, size_t why_bytes);

#endif
