// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Checks what the other tests rely on: move_pages(2) moves pages from node 0 to node 1,
 * move_pages(2) and numa_maps both find them there, and their contents are unchanged.
 *
 * It uses raw system calls, and nothing of the library.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_PAGES     4096L
#define MPOL_BIND    2
#define MPOL_MF_MOVE 2

static int nr_tests, nr_failed;

static void check(int ok, const char *what)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", ++nr_tests, what);
	nr_failed += !ok;
}

static long move_pages(unsigned long count, void **pages, const int *nodes, int *status)
{
	return syscall(SYS_move_pages, 0, count, pages, nodes, status, MPOL_MF_MOVE);
}

static int node_is_online(int node)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", node);
	return access(path, F_OK) == 0;
}

/* How many pages /proc/self/numa_maps counts on a node, in the mapping that begins at start. */
static long numa_maps_pages(const void *start, int node)
{
	char line[4096], key[16];
	FILE *maps = fopen("/proc/self/numa_maps", "r");
	long nr = 0;

	if (!maps)
		return -1;
	snprintf(key, sizeof(key), " N%d=", node);
	while (fgets(line, sizeof(line), maps)) {
		if (strtoul(line, NULL, 16) != (uintptr_t)start)
			continue;
		const char *field = strstr(line, key);

		nr = field ? strtol(field + strlen(key), NULL, 10) : 0;
	}
	fclose(maps);
	return nr;
}

static long count_on(void **pages, int *status, int node)
{
	long nr = 0;

	if (move_pages(NR_PAGES, pages, NULL, status))
		return -1;
	for (long i = 0; i < NR_PAGES; i++)
		nr += status[i] == node;
	return nr;
}

static void move_all(unsigned char *area, void **pages, int *nodes, int *status, int from, int to)
{
	char what[80];
	long page_bytes = sysconf(_SC_PAGESIZE), nr_wrong = 0;

	for (long i = 0; i < NR_PAGES; i++)
		nodes[i] = to;

	long rc = move_pages(NR_PAGES, pages, nodes, status);

	if (rc)
		printf("# move_pages: %ld (%s)\n", rc, rc < 0 ? strerror(errno) : "not moved");
	snprintf(what, sizeof(what), "move_pages from node %d to %d", from, to);
	check(rc == 0, what);
	snprintf(what, sizeof(what), "query: all on node %d", to);
	check(count_on(pages, status, to) == NR_PAGES, what);
	snprintf(what, sizeof(what), "numa_maps: all on node %d, none on %d", to, from);
	check(numa_maps_pages(area, to) == NR_PAGES && numa_maps_pages(area, from) == 0, what);
	for (long i = 0; i < NR_PAGES * page_bytes; i++)
		nr_wrong += area[i] != (unsigned char)(i / page_bytes * 31 + i);
	check(nr_wrong == 0, "contents unchanged");
}

int main(void)
{
	static void *pages[NR_PAGES];
	static int nodes[NR_PAGES], status[NR_PAGES];
	long page_bytes = sysconf(_SC_PAGESIZE);
	unsigned long node0 = 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!node_is_online(1)) {
		printf("1..0 # SKIP needs two NUMA nodes\n");
		return 77;
	}

	unsigned char *area = mmap(NULL, NR_PAGES * page_bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED) {
		printf("Bail out! mmap: %s\n", strerror(errno));
		return 1;
	}
	/* Small pages, so that numa_maps and move_pages count the same units. */
	madvise(area, NR_PAGES * page_bytes, MADV_NOHUGEPAGE);
	check(syscall(SYS_mbind, area, NR_PAGES * page_bytes, MPOL_BIND, &node0, 64UL, 0) == 0,
	      "mbind to node 0");
	for (long i = 0; i < NR_PAGES * page_bytes; i++)
		area[i] = (unsigned char)(i / page_bytes * 31 + i);
	for (long i = 0; i < NR_PAGES; i++)
		pages[i] = area + i * page_bytes;
	check(count_on(pages, status, 0) == NR_PAGES, "query: all on node 0");

	move_all(area, pages, nodes, status, 0, 1);
	/* The memory-only node, where there is one. */
	if (node_is_online(2))
		move_all(area, pages, nodes, status, 1, 2);
	printf("1..%d\n", nr_tests);
	return nr_failed != 0;
}
