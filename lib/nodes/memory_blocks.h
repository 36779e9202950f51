/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which node a page frame is on, by the memory blocks that sysfs lists for each node. Together with
 * the frame numbers in /proc/self/pagemap, which the kernel shows only to processes with
 * CAP_SYS_ADMIN, this finds the nodes of a chunk's pages in a third of the time that a query of
 * move_pages(2) takes.
 *
 * The blocks are read once: frames of a block that is added later have no known node. Firmware ties
 * physical addresses to nodes, so a block that is removed and added again is on the same node.
 */
#ifndef FERRY_MEMORY_BLOCKS_H
#define FERRY_MEMORY_BLOCKS_H

#include "base/base.h"
#include "lib/nodes/nodes.h"

#define BLOCKS_ROOT "/sys/devices/system"
/*
 * Runs of blocks that a machine may have. With more, nothing is known, and the kernel is asked for
 * the node of each page; increasing this costs 24 bytes for each run in every context.
 */
#define BLOCK_RUNS 256

struct memory_blocks {
	unsigned int shift;   /* frames per block, as a power of two */
	uint64_t zero_frame;  /* the zero page, mapped by reads of untouched memory */
	unsigned int nr_runs; /* 0: no frame's node is known */
	struct block_run {
		uint64_t first, end; /* block numbers */
		int node;
	} runs[BLOCK_RUNS]; /* in ascending order */
};

/*
 * Reads the blocks of all nodes below root (BLOCKS_ROOT). Leaves *blocks without runs if sysfs
 * lists none, or in a form that is not understood.
 */
void memory_blocks_read(struct memory_blocks *blocks, const struct nodes *nodes, const char *root);

/*
 * Finds the frame of the zero page. 0; or -errno (-EPERM: the kernel hides frame numbers), and then
 * *blocks is without runs.
 */
int memory_blocks_find_zero(struct memory_blocks *blocks);

/* The node of a frame; -1 if its block is not known, or belongs to several nodes. */
int memory_blocks_node(const struct memory_blocks *blocks, uint64_t frame);

#endif
