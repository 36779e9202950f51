/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which node a page frame is on, by the memory blocks that sysfs lists with each node. With
 * /proc/self/pagemap, which needs CAP_SYS_ADMIN to show frame numbers, that tells where a chunk's
 * pages are in a third of the time that move_pages(2) needs for it.
 *
 * Read once: a block that comes later is one that is not known. Firmware ties physical addresses to
 * nodes, so a block that goes and comes again is on the same one.
 */
#ifndef FERRY_MEMORY_BLOCKS_H
#define FERRY_MEMORY_BLOCKS_H

#include "base/base.h"
#include "lib/nodes/nodes.h"

#define BLOCKS_ROOT "/sys/devices/system"
#define BLOCK_RUNS  256

struct memory_blocks {
	unsigned int shift;   /* frames of a block, as a power of two */
	uint64_t zero_frame;  /* what is mapped where memory was only read */
	unsigned int nr_runs; /* 0: nothing can be told */
	struct block_run {
		uint64_t first, end; /* blocks */
		int node;
	} runs[BLOCK_RUNS]; /* rising */
};

/* root: BLOCKS_ROOT. What can't be told, on any ground, leaves *blocks without runs. */
void memory_blocks_read(struct memory_blocks *blocks, const struct nodes *nodes, const char *root);

/* Without frame numbers the blocks are of no use: 0 or -errno (EPERM), and then there are no runs.
 */
int memory_blocks_find_zero(struct memory_blocks *blocks);

/* -1: not known, or a block of several nodes. */
int memory_blocks_node(const struct memory_blocks *blocks, uint64_t frame);

#endif
