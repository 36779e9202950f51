// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * chunk_scan() finds the nodes of a chunk's pages by frame numbers or by a query of move_pages(2).
 * Both must give the same answer for everything that can be in a private anonymous mapping.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "lib/exchange/chunk_scan.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define MPOL_DEFAULT 0
#define MPOL_BIND    2

static struct ferry *ferry;
static struct memory_blocks blocks;
static struct chunk_scan by_frames, by_query;

/* How many movable pages a chunk must have on each node, and how many absent ones. */
struct expected {
	unsigned int nr_on[2], nr_absent;
	bool huge;
};

static void touch_on(char *page, int node)
{
	unsigned long mask = 1UL << node;

	syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 64UL);
	*(volatile char *)page = 1;
	syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0UL);
}

static bool scan_both_ways(uintptr_t addr, unsigned int nr_pages)
{
	ferry->blocks = blocks;
	if (chunk_scan(ferry, addr, nr_pages, &by_frames))
		return false;
	ferry->blocks.nr_runs = 0;
	return !chunk_scan(ferry, addr, nr_pages, &by_query);
}

static bool scans_agree(unsigned int nr_pages)
{
	bool agree = by_frames.kinds.huge == by_query.kinds.huge;

	for (unsigned int i = 0; i < nr_pages; i++) {
		bool movable = map_test(&by_query.kinds.movable, i);

		if (map_test(&by_frames.kinds.movable, i) == movable &&
		    map_test(&by_frames.kinds.absent, i) == map_test(&by_query.kinds.absent, i) &&
		    (!movable || by_frames.node_of[i] == by_query.node_of[i]))
			continue;
		printf("# page %u: movable %d %d absent %d %d nodes %d %d\n", i,
		       map_test(&by_frames.kinds.movable, i), movable,
		       map_test(&by_frames.kinds.absent, i), map_test(&by_query.kinds.absent, i),
		       by_frames.node_of[i], by_query.node_of[i]);
		agree = false;
	}
	return agree;
}

static bool scan_is_expected(const struct expected *expected, unsigned int nr_pages)
{
	struct expected seen = {.huge = by_frames.kinds.huge};

	for (unsigned int i = 0; i < nr_pages; i++) {
		if (map_test(&by_frames.kinds.movable, i))
			seen.nr_on[by_frames.node_of[i] == 1]++;
		seen.nr_absent += map_test(&by_frames.kinds.absent, i);
	}
	if (seen.nr_on[0] == expected->nr_on[0] && seen.nr_on[1] == expected->nr_on[1] &&
	    seen.nr_absent == expected->nr_absent && seen.huge == expected->huge)
		return true;
	printf("# on node 0 %u, on 1 %u, absent %u, huge %d\n", seen.nr_on[0], seen.nr_on[1],
	       seen.nr_absent, seen.huge);
	return false;
}

static void check_chunk(const char *what, const char *addr, unsigned int nr_pages,
			const struct expected *expected)
{
	bool scanned = scan_both_ways((uintptr_t)addr, nr_pages);

	tap_ok(scanned && scans_agree(nr_pages), "%s: frames and query agree", what);
	tap_ok(scanned && scan_is_expected(expected, nr_pages),
	       "%s: the pages are where the test put them", what);
}

/* Pages on both nodes, holes and the zero page. */
static void check_small(void)
{
	char *mem = memory_new(HUGE_BYTES, false);
	struct expected expected = {0};

	for (unsigned int i = 0; i < PAGES_PER_HUGE; i++) {
		char *page = mem + (size_t)i * PAGE_BYTES;

		if (i % 11 == 5) {
			expected.nr_absent++;
		} else if (i % 13 == 3) {
			(void)*(volatile char *)page;
		} else {
			touch_on(page, i / 7 % 2);
			expected.nr_on[i / 7 % 2]++;
		}
	}
	check_chunk("small pages of all kinds", mem, PAGES_PER_HUGE, &expected);
	munmap(mem, HUGE_BYTES);
}

static void check_shared(void)
{
	char *mem = memory_new(HUGE_BYTES, false);
	struct expected expected = {.nr_on = {0, PAGES_PER_HUGE}};
	pid_t child;

	for (unsigned int i = 0; i < PAGES_PER_HUGE; i++)
		touch_on(mem + (size_t)i * PAGE_BYTES, 1);
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	check_chunk("pages that a child shares", mem, PAGES_PER_HUGE, &expected);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	munmap(mem, HUGE_BYTES);
}

static void check_huge(void)
{
	char *mem = memory_new(2 * HUGE_BYTES, true);
	struct expected whole = {.nr_on = {0, PAGES_PER_HUGE}, .huge = true};
	struct expected part = {0};
	struct expected zero = {0};

	touch_on(mem, 1);
	check_chunk("a huge page", mem, PAGES_PER_HUGE, &whole);
	check_chunk("a part of a huge page", mem + 64 * PAGE_BYTES, 100, &part);
	(void)*(volatile char *)(mem + HUGE_BYTES);
	check_chunk("the huge zero page", mem + HUGE_BYTES, PAGES_PER_HUGE, &zero);
	munmap(mem, 2 * HUGE_BYTES);
}

static void check_empty(void)
{
	char *mem = memory_new(HUGE_BYTES, false);
	struct expected expected = {.nr_absent = PAGES_PER_HUGE};

	check_chunk("a hole", mem, PAGES_PER_HUGE, &expected);
	munmap(mem, HUGE_BYTES);
}

/* Frames of a memory block that was added after the blocks were read. */
static void check_unknown_block(void)
{
	char *mem = memory_new(HUGE_BYTES, false);
	struct memory_blocks all = blocks;

	touch_on(mem, 0);
	touch_on(mem + PAGE_BYTES, 1);
	for (unsigned int i = 0; i < blocks.nr_runs; i++)
		if (blocks.runs[i].node == 1)
			blocks.runs[i].first = blocks.runs[i].end;
	tap_ok(scan_both_ways((uintptr_t)mem, 2) && scans_agree(2) && by_frames.node_of[1] == 1,
	       "frames of an unknown block: the kernel is queried");
	blocks = all;
	for (unsigned int i = 0; i < blocks.nr_runs; i++)
		blocks.runs[i].node = !blocks.runs[i].node;
	tap_ok(scan_both_ways((uintptr_t)mem, 2) && by_frames.node_of[0] == 1 &&
		       !by_frames.node_of[1],
	       "frames of a known block: no query");
	blocks = all;
	munmap(mem, HUGE_BYTES);
}

int main(void)
{
	ferry = open_exchanging_context(NULL);
	blocks = ferry->blocks;
	tap_plan(1 + 2 * 6 + 2);
	watchdog(100, "survey");
	tap_ok(blocks.nr_runs >= 2, "the memory blocks of both nodes are known");
	check_small();
	check_shared();
	check_huge();
	check_empty();
	check_unknown_block();
	ferry_close(ferry);
	return tap_done();
}
