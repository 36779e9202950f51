// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory blocks of a machine that is a directory tree made here. */
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

static char root[] = "/tmp/blocks.XXXXXX";
static struct nodes nodes = {.nr_memory = 2, .first_memory = 0, .memory = {1 << 0 | 1 << 5}};
static struct memory_blocks blocks;

static const char *path(const char *name)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", root, name);
	return text;
}

static void make(const char *name)
{
	cr_assert_eq(mkdir(path(name), 0700), 0, "%s", name);
}

static void set_size(const char *text)
{
	FILE *file = fopen(path("memory/block_size_bytes"), "w");

	cr_assert(file);
	fputs(text, file);
	fclose(file);
}

static void put(int node, unsigned long block)
{
	char name[64];

	snprintf(name, sizeof(name), "node/node%d/memory%lu", node, block);
	make(name);
}

static void setup(void)
{
	cr_assert(mkdtemp(root));
	make("memory");
	make("node");
	make("node/node0");
	make("node/node5");
	set_size("8000000\n");
}

static int forget(const char *name, const struct stat *st, int type, struct FTW *at)
{
	return remove(name);
}

static void teardown(void)
{
	nftw(root, forget, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(blocks, .init = setup, .fini = teardown);

/* The node of a block's first and last frame, which must be the same. */
static int node_of(unsigned long block)
{
	int first = memory_blocks_node(&blocks, block * FRAMES_PER_BLOCK);
	int last = memory_blocks_node(&blocks, (block + 1) * FRAMES_PER_BLOCK - 1);

	cr_assert_eq(first, last);
	return first;
}

Test(blocks, every_frame_of_a_block_is_on_its_node)
{
	for (unsigned long block = 0; block < 24; block++)
		put(block < 12 ? 0 : 5, block);
	put(0, 1 << 20);
	memory_blocks_read(&blocks, &nodes, root);
	cr_assert_eq(blocks.nr_runs, 3);
	for (unsigned long block = 0; block < 24; block++)
		cr_expect_eq(node_of(block), block < 12 ? 0 : 5);
	cr_expect_eq(node_of(1 << 20), 0);
	cr_expect_eq(node_of(24), -1, "behind the last of a run");
	cr_expect_eq(node_of((1 << 20) - 1), -1);
	cr_expect_eq(node_of((1 << 20) + 1), -1, "behind all");
}

Test(blocks, a_block_of_two_nodes_is_not_known)
{
	put(0, 3);
	put(0, 4);
	put(5, 4);
	put(5, 5);
	memory_blocks_read(&blocks, &nodes, root);
	cr_expect_eq(node_of(3), 0);
	cr_expect_eq(node_of(4), -1);
	cr_expect_eq(node_of(5), 5);
}

Test(blocks, other_names_are_no_blocks)
{
	put(0, 1);
	make("node/node0/memory");
	make("node/node0/memory2x");
	make("node/node0/memory_failure");
	make("node/node0/hugepages");
	memory_blocks_read(&blocks, &nodes, root);
	cr_assert_eq(blocks.nr_runs, 1);
	cr_expect_eq(node_of(1), 0);
	cr_expect_eq(node_of(2), -1);
}

Test(blocks, what_can_not_be_understood_tells_nothing)
{
	static const char *const sizes[] = {"", "none", "0", "800", "3000000"};

	put(0, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		set_size(sizes[i]);
		memory_blocks_read(&blocks, &nodes, root);
		cr_expect_eq(blocks.nr_runs, 0, "\"%s\"", sizes[i]);
		cr_expect_eq(memory_blocks_node(&blocks, 0), -1);
	}
	memory_blocks_read(&blocks, &nodes, "/nowhere");
	cr_expect_eq(blocks.nr_runs, 0);
}

Test(blocks, a_node_without_a_directory_spoils_all)
{
	put(0, 1);
	cr_assert_eq(rmdir(path("node/node5")), 0);
	memory_blocks_read(&blocks, &nodes, root);
	cr_expect_eq(blocks.nr_runs, 0);
}

Test(blocks, too_many_runs_tell_nothing)
{
	for (unsigned long block = 0; block <= BLOCK_RUNS; block++)
		put(0, 2 * block);
	memory_blocks_read(&blocks, &nodes, root);
	cr_expect_eq(blocks.nr_runs, 0);
}

/* Without CAP_SYS_ADMIN the kernel shows frame 0 for all pages. */
Test(blocks, the_zero_page_is_found_or_frames_are_not_shown)
{
	int err;

	put(0, 1);
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

Test(blocks, hidden_frames_tell_nothing)
{
	put(0, 1);
	memory_blocks_read(&blocks, &nodes, root);
	cr_assert_eq(pagemap_open(), 0);
	sys_hook = hide_frames;
	cr_expect_eq(memory_blocks_find_zero(&blocks), -EPERM);
	sys_hook = NULL;
	cr_expect_eq(blocks.nr_runs, 0);
}
