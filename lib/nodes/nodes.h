/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the machine says about its NUMA nodes. */
#ifndef FERRY_NODES_H
#define FERRY_NODES_H

#include "base/base.h"

struct nodes {
	unsigned int nr_memory;          /* nodes with memory */
	int first_memory;                /* the lowest of them */
	uint64_t memory[MAX_NODES / 64]; /* bit per node with memory */
};

/* Reads which nodes have memory; without sysfs, node 0 alone. */
void nodes_read(struct nodes *nodes);

static inline bool nodes_has(const struct nodes *nodes, int node)
{
	return node >= 0 && node < MAX_NODES && (nodes->memory[node / 64] >> (node % 64) & 1);
}

/*
 * A node's memory, and how much of it is free or page cache that the kernel can drop. 0, or -errno
 * if sysfs does not tell.
 */
int nodes_memory(int node, uint64_t *total_bytes, uint64_t *available_bytes);

/*
 * How many pages have migrated on this machine since boot, whatever the cause: pgmigrate_success in
 * /proc/vmstat. As long as the count does not change, every page is on the node where it was last
 * seen. 0 if the count cannot be read.
 */
uint64_t nodes_migration_stamp(int vmstat_fd);

#endif
