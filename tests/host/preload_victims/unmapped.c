// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Moves an array whose last pages have just been unmapped, as LTP's move_pages04 does. The call
 * must say so, even if it is the first one of the process. An argument gives the number of those
 * pages.
 */
#include "victim.h"

#define NR_MAPPED 128
#define NR_HOLES  8

int main(int argc, char **argv)
{
	size_t nr_unmapped = argc > 1 ? strtoul(argv[1], NULL, 0) : NR_HOLES;
	void *pages[NR_MAPPED + NR_HOLES];
	int nodes[NR_MAPPED + NR_HOLES], status[NR_MAPPED + NR_HOLES];
	size_t len = (NR_MAPPED + nr_unmapped) * PAGE;
	char *base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long ret;

	if (base == MAP_FAILED)
		die("mmap");
	memset(base, 1, NR_MAPPED * PAGE);
	for (size_t i = 0; i < NR_MAPPED + NR_HOLES; i++) {
		size_t hole = i < NR_MAPPED ? 0 : (i - NR_MAPPED) * nr_unmapped / NR_HOLES;

		pages[i] = base + (i < NR_MAPPED ? i : NR_MAPPED + hole) * PAGE;
		nodes[i] = 0;
		status[i] = 99;
	}
	if (munmap(base + NR_MAPPED * PAGE, nr_unmapped * PAGE))
		die("munmap");
	ret = syscall(SYS_move_pages, 0, (unsigned long)(NR_MAPPED + NR_HOLES), pages, nodes,
		      status, MF_MOVE);
	printf("returned %ld:", ret);
	for (size_t i = 0; i < NR_MAPPED + NR_HOLES; i++)
		printf(" %d", status[i]);
	printf("\n");
	return 0;
}
