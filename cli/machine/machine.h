/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What migbench knows of the machine: NUMA nodes, huge page settings, the reports' environment. */
#ifndef MIGBENCH_MACHINE_H
#define MIGBENCH_MACHINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_NODES_MAX 64

enum node_class {
	NODE_DRAM,     /* CPUs and memory */
	NODE_MEMORY,   /* memory without CPUs: CXL, persistent, or of unknown kind */
	NODE_HBM,      /* memory without CPUs, faster than the memory of the nodes with CPUs */
	NODE_COHERENT, /* memory of a device (generic initiator) */
	NODE_NO_MEMORY,
};

struct node {
	int id;
	enum node_class class;
	bool has_cpus;
	uint64_t total_bytes;
	uint64_t free_bytes;
	int tier;            /* from /sys/devices/virtual/memory_tiering; -1 unknown */
	char cpus[128];      /* "0-3,8" */
	char initiators[64]; /* the nodes with the best access to it */
};

struct machine {
	unsigned int nr;
	struct node v[MACHINE_NODES_MAX];
	int distance[MACHINE_NODES_MAX][MACHINE_NODES_MAX];
};

/* Never fails: a kernel without NUMA has node 0. */
void machine_read(struct machine *out);
const char *node_class_name(enum node_class class);

/*
 * Chooses the two nodes to move between: from and to if given (not -1), otherwise the first nodes
 * that have memory. Both are the same node if the machine has only one, or if fresh. Returns 0, or
 * an exit code after a message.
 */
int machine_choose_nodes(int from, int to, bool fresh, int node[2]);

/* One node in numactl's syntax ("1", "+0"). -EINVAL with a sentence in why. */
int machine_parse_node(const char *text, int *out, char *why, size_t why_bytes);

/* Can madvise(MADV_HUGEPAGE) get folios of this size? */
bool machine_has_folio_size(size_t folio_bytes);
/* A counter of /sys/kernel/mm/transparent_hugepage/hugepages-*kB/stats; 0 if there is none. */
uint64_t machine_folio_count(size_t folio_bytes, const char *counter);

/* A setting of the kernel that affects the figures. */
struct machine_setting {
	const char *key; /* in the environment of JSON */
	const char *path;
	bool is_choice; /* the file lists all values and has the current one in brackets */
	const char *effect;
};

extern const struct machine_setting machine_settings[];
extern const unsigned int nr_machine_settings;

/* A new object: what a reader needs to interpret the numbers. Unknown values are absent. */
json_t *machine_env(void);
/* QEMU without KVM emulates the CPU: only ratios are meaningful. */
bool machine_is_emulated(void);

#endif
