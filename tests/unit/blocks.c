// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory blocks of a machine whose sysfs is a directory tree that the test creates. */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "lib/nodes/memory_blocks.h"
#include "lib/nodes/pagemap.h"

#define FRAMES_PER_BLOCK (128UL << 20 >> PAGE_SHIFT)

static char root[] = "/tmp/memory_blocks.XXXXXX";
static struct nodes nodes = {.nr_memory = 2, .first_memory = 0, .memory = {1 << 0 | 1 << 5}};
static struct memory_blocks blocks;

static const char *sysfs_path(const char *name)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", root, name);
	return text;
}

static void sysfs_mkdir(const char *name)
{
	cr_assert_eq(mkdir(sysfs_path(name), 0700), 0, "%s", name);
}

static void sysfs_set_block_size(const char *text)
{
	FILE *file = fopen(sysfs_path("memory/block_size_bytes"), "w");

	cr_assert(file);
	fputs(text, file);
	fclose(file);
}

static void sysfs_add_block(int node, unsigned long block)
{
	char name[64];

	snprintf(name, sizeof(name), "node/node%d/memory%lu", node, block);
	sysfs_mkdir(name);
}

static void sysfs_setup(void)
{
	cr_assert(mkdtemp(root));
	sysfs_mkdir("memory");
	sysfs_mkdir("node");
	sysfs_mkdir("node/node0");
	sysfs_mkdir("node/node5");
	sysfs_set_block_size("8000000\n");
}

static int sysfs_remove(const char *name, const struct stat *st __maybe_unused,
			int type __maybe_unused, struct FTW *at __maybe_unused)
{
	return remove(name);
}

static void sysfs_teardown(void)
{
	nftw(root, sysfs_remove, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(memory_blocks, .init = sysfs_setup, .fini = sysfs_teardown);

/* The node of a block's first frame, which must be that of its last frame. */
static int node_of(unsigned long block)
{
	int first = memory_blocks_node(&blocks, block * FRAMES_PER_BLOCK);
	int last = memory_blocks_node(&blocks, (block + 1) * FRAMES_PER_BLOCK - 1);

	cr_assert_eq(first, last);
	return first;
}

Test(memory_blocks, every_frame_of_a_block_is_on_its_node)
{
	for (unsigned long block = 0; block < 24; block++)
		sysfs_add_block(block < 12 ? 0 : 5, block);
	sysfs_add_block(0, 1 << 20);
	memory_blocks_read(&blocks, &nodes, root);
	cr_assert_eq(blocks.nr_runs, 3);
	for (unsigned long block = 0; block < 24; block++)
		cr_expect_eq(node_of(block), block < 12 ? 0 : 5);
	cr_expect_eq(node_of(1 << 20), 0);
	cr_expect_eq(node_of(24), -1, "after the last block of a run");
	cr_expect_eq(node_of((1 << 20) - 1), -1);
	cr_expect_eq(node_of((1 << 20) + 1), -1, "after all blocks");
}

Test(memory_blocks, a_block_of_two_nodes_is_not_known)
{
	sysfs_add_block(0, 3);
	sysfs_add_block(0, 4);
	sysfs_add_block(5, 4);
	sysfs_add_block(5, 5);
	memory_blocks_read(&blocks, &nodes, root);
	cr_expect_eq(node_of(3), 0);
	cr_expect_eq(node_of(4), -1);
	cr_expect_eq(node_of(5), 5);
}

Test(memory_blocks, other_names_are_no_blocks)
{
	sysfs_add_block(0, 1);
	sysfs_mkdir("node/node0/memory");
	sysfs_mkdir("node/node0/memory2x");
	sysfs_mkdir("node/node0/memory_failure");
	sysfs_mkdir("node/node0/hugepages");
	memory_blocks_read(&blocks, &nodes, root);
	cr_assert_eq(blocks.nr_runs, 1);
	cr_expect_eq(node_of(1), 0);
	cr_expect_eq(node_of(2), -1);
}

Test(memory_blocks, unknown_block_sizes_leave_no_runs)
{
	static const char *const sizes[] = {"", "none", "0", "800", "3000000"};

	sysfs_add_block(0, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		sysfs_set_block_size(sizes[i]);
		memory_blocks_read(&blocks, &nodes, root);
		cr_expect_eq(blocks.nr_runs, 0, "\"%s\"", sizes[i]);
		cr_expect_eq(memory_blocks_node(&blocks, 0), -1);
	}
	memory_blocks_read(&blocks, &nodes, "/nowhere");
	cr_expect_eq(blocks.nr_runs, 0);
}

Test(memory_blocks, a_node_without_a_directory_leaves_no_runs)
{
	sysfs_add_block(0, 1);
	cr_assert_eq(rmdir(sysfs_path("node/node5")), 0);
	memory_blocks_read(&blocks, &nodes, root);
	cr_expect_eq(blocks.nr_runs, 0);
}

Test(memory_blocks, too_many_runs_leave_none)
{
	for (unsigned long block = 0; block <= BLOCK_RUNS; block++)
		sysfs_add_block(0, 2 * block);
	memory_blocks_read(&blocks, &nodes, root);
	cr_expect_eq(blocks.nr_runs, 0);
}

/* Without CAP_SYS_ADMIN the kernel shows frame 0 for all pages. */
Test(memory_blocks, the_zero_page_is_found_unless_frames_are_hidden)
{
	int err;

	sysfs_add_block(0, 1);
	memory_blocks_read(&blocks, &nodes, root);
	cr_assert_eq(pagemap_open(), 0);
	err = memory_blocks_find_zero(&blocks);
	if (err) {
		cr_expect_eq(err, -EPERM);
		cr_expect_eq(blocks.nr_runs, 0);
	} else {
		cr_expect_neq(blocks.zero_frame, 0);
		cr_expect_eq(blocks.nr_runs, 1);
	}
}

static bool hide_frames(long nr, const long args[6], long *ret)
{
	if (nr != SYS_pread64)
		return false;
	*(uint64_t *)args[1] = PAGEMAP_PRESENT;
	*ret = sizeof(uint64_t);
	return true;
}

Test(memory_blocks, hidden_frames_leave_no_runs)
{
	sysfs_add_block(0, 1);
	memory_blocks_read(&blocks, &nodes, root);
	cr_assert_eq(pagemap_open(), 0);
	sys_hook = hide_frames;
	cr_expect_eq(memory_blocks_find_zero(&blocks), -EPERM);
	sys_hook = NULL;
	cr_expect_eq(blocks.nr_runs, 0);
}
