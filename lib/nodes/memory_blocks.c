// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reads the memory blocks of each node from sysfs, and finds the node of a page frame by them. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "lib/nodes/memory_blocks.h"
#include "lib/nodes/pagemap.h"

struct block {
	uint64_t number;
	int node;
};

struct block_list {
	struct block *at;
	size_t nr, room;
};

static int block_list_add(struct block_list *list, uint64_t number, int node)
{
	if (list->nr == list->room) {
		size_t room = list->room ? 2 * list->room : 256;
		struct block *bigger = reallocarray(list->at, room, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		list->at = bigger;
		list->room = room;
	}
	list->at[list->nr++] = (struct block){number, node};
	return 0;
}

/* nodeN has a link memoryM for each block M that has memory of the node. */
static int block_list_add_node(struct block_list *list, const char *root, int node)
{
	const size_t prefix = strlen("memory");
	struct dirent *entry;
	char path[4096];
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/node/node%d", root, node);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		char *end;
		unsigned long long number;

		if (strncmp(entry->d_name, "memory", prefix))
			continue;
		number = strtoull(entry->d_name + prefix, &end, 10);
		if (end > entry->d_name + prefix && !*end)
			err = block_list_add(list, number, node);
	}
	closedir(dir);
	return err;
}

static int compare_blocks(const void *a, const void *b)
{
	const struct block *left = a, *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

/* False if there is no room for another run. */
static bool memory_blocks_add(struct memory_blocks *blocks, const struct block *block)
{
	struct block_run *last = blocks->nr_runs ? &blocks->runs[blocks->nr_runs - 1] : NULL;

	if (last && last->end == block->number && last->node == block->node) {
		last->end++;
		return true;
	}
	if (blocks->nr_runs == BLOCK_RUNS)
		return false;
	blocks->runs[blocks->nr_runs++] =
		(struct block_run){block->number, block->number + 1, block->node};
	return true;
}

/* Leaves out the blocks that several nodes share. */
static void memory_blocks_make_runs(struct memory_blocks *blocks, struct block_list *list)
{
	bool fits = true;

	qsort(list->at, list->nr, sizeof(*list->at), compare_blocks);
	for (size_t i = 0, end; fits && i < list->nr; i = end) {
		for (end = i + 1; end < list->nr && list->at[end].number == list->at[i].number;)
			end++;
		if (end == i + 1)
			fits = memory_blocks_add(blocks, &list->at[i]);
	}
	if (!fits)
		blocks->nr_runs = 0;
}

/* The block size in pages, as a power of two; -1 if sysfs does not say, or it is no such power. */
static int memory_blocks_read_shift(const char *root)
{
	unsigned long long size_bytes = 0;
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/memory/block_size_bytes", root);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%llx", &size_bytes) != 1)
		size_bytes = 0;
	fclose(file);
	if (size_bytes < PAGE_BYTES || size_bytes & (size_bytes - 1))
		return -1;
	return __builtin_ctzll(size_bytes) - PAGE_SHIFT;
}

void memory_blocks_read(struct memory_blocks *blocks, const struct nodes *nodes, const char *root)
{
	struct block_list list = {0};
	int shift = memory_blocks_read_shift(root);
	int err = shift < 0 ? -ENOENT : 0;

	memset(blocks, 0, sizeof(*blocks));
	for (int node = 0; !err && node < MAX_NODES; node++)
		if (nodes_has(nodes, node))
			err = block_list_add_node(&list, root, node);
	if (!err) {
		blocks->shift = (unsigned int)shift;
		memory_blocks_make_runs(blocks, &list);
	}
	free(list.at);
}

static int memory_blocks_zero_frame(uintptr_t addr, uint64_t *frame)
{
	struct page_kinds kinds;
	uint64_t entry;
	int err;

	(void)*(volatile char *)addr;
	err = pagemap_kinds(addr, 1, &kinds);
	if (!err && (map_test(&kinds.movable, 0) || map_test(&kinds.absent, 0)))
		err = -ENOENT;
	if (!err)
		err = pagemap_entries(addr, 1, &entry);
	if (!err)
		*frame = pagemap_frame(entry);
	return !err && !*frame ? -EPERM : err;
}

int memory_blocks_find_zero(struct memory_blocks *blocks)
{
	long addr = sys(SYS_mmap, NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (sys_is_error(addr)) {
		err = (int)addr;
	} else {
		err = memory_blocks_zero_frame((uintptr_t)addr, &blocks->zero_frame);
		sys(SYS_munmap, addr, PAGE_BYTES);
	}
	if (err)
		blocks->nr_runs = 0;
	return err;
}

int memory_blocks_node(const struct memory_blocks *blocks, uint64_t frame)
{
	uint64_t block = frame >> blocks->shift;
	unsigned int low = 0, high = blocks->nr_runs;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (block >= blocks->runs[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	return low < blocks->nr_runs && block >= blocks->runs[low].first ? blocks->runs[low].node
									 : -1;
}
