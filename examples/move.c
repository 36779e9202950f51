// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Moves memory of this process to a NUMA node with ferry_move_pages(), which is used like
 * move_pages(2).
 *
 *	cc -o move move.c $(pkg-config --cflags --libs libpageferry)
 *	./move NODE
 */
#include <errno.h>
#include <pageferry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_PAGES     4096
#define PAGE_BYTES   4096
#define MPOL_MF_MOVE 2 /* from <numaif.h>, which is part of libnuma-dev */

int main(int argc, char **argv)
{
	static void *pages[NR_PAGES];
	static int nodes[NR_PAGES], status[NR_PAGES];
	int node = argc > 1 ? atoi(argv[1]) : 0;
	char *data = aligned_alloc(PAGE_BYTES, (size_t)NR_PAGES * PAGE_BYTES);
	struct ferry *ferry;
	long left;
	int err;

	if (!data)
		return 1;
	memset(data, 1, (size_t)NR_PAGES * PAGE_BYTES);
	for (int i = 0; i < NR_PAGES; i++) {
		pages[i] = data + (size_t)i * PAGE_BYTES;
		nodes[i] = node;
	}

	err = ferry_open(&ferry, NULL);
	if (err) {
		fprintf(stderr, "ferry_open: %s: %s\n", strerror(-err), ferry_open_error());
		return 1;
	}
	left = ferry_move_pages(ferry, 0, NR_PAGES, pages, nodes, status, MPOL_MF_MOVE);
	if (left < 0)
		fprintf(stderr, "ferry_move_pages: %s\n", strerror(errno));
	else
		printf("%ld of %d pages not moved; the first is on node %d\n", left, NR_PAGES,
		       status[0]);
	ferry_close(ferry);
	free(data);
	return left != 0;
}
