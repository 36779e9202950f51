// SPDX-License-Identifier: LGPL-2.1-or-later
/* All functions that make the two system calls, with valid and invalid arguments. */
#include <numa.h>
#include <numaif.h>

#include "victim.h"

static struct arena a;

static void show(const char *what, long ret)
{
	arena_print(what, &a, ret, errno);
}

static void show_result(const char *what, long ret)
{
	printf("%s: %ld %d\n", what, ret, ret < 0 ? errno : 0);
}

static void moves(int node)
{
	arena_aim(&a, node);
	show("move_pages", move_pages(0, NR_PAGES, a.pages, a.nodes, a.status, MPOL_MF_MOVE));
	arena_aim(&a, 0);
	show("numa_move_pages",
	     numa_move_pages(0, NR_PAGES, a.pages, a.nodes, a.status, MPOL_MF_MOVE));
	arena_aim(&a, node);
	show("syscall", syscall(SYS_move_pages, getpid(), (long)NR_PAGES, a.pages, a.nodes,
				a.status, MPOL_MF_MOVE));
	arena_aim(&a, 0);
	show("flags 0", move_pages(0, NR_PAGES, a.pages, a.nodes, a.status, 0));
	show("query", move_pages(0, NR_PAGES, a.pages, NULL, a.status, 0));
}

static void bad_moves(void)
{
	show_result("flags", move_pages(0, NR_PAGES, a.pages, a.nodes, a.status, 1));
	show_result("numa flags", numa_move_pages(0, NR_PAGES, a.pages, a.nodes, a.status, 64));
	show_result("pid",
		    syscall(SYS_move_pages, -1, (long)NR_PAGES, a.pages, a.nodes, a.status, 2));
	show_result("pages NULL", move_pages(0, NR_PAGES, NULL, a.nodes, a.status, MPOL_MF_MOVE));
	show_result("status NULL", move_pages(0, NR_PAGES, a.pages, a.nodes, NULL, MPOL_MF_MOVE));
	show_result("count 0", move_pages(0, 0, NULL, NULL, NULL, 0));
	a.nodes[100] = 900;
	show_result("node", move_pages(0, NR_PAGES, a.pages, a.nodes, a.status, MPOL_MF_MOVE));
	a.nodes[100] = 0;
}

static void migrations(int node)
{
	struct bitmask *from = numa_allocate_nodemask(), *to = numa_allocate_nodemask();

	numa_bitmask_setbit(from, 0);
	numa_bitmask_setbit(to, (unsigned int)node);
	show_result("migrate_pages", migrate_pages(0, from->size + 1, from->maskp, to->maskp));
	show_result("numa_migrate_pages", numa_migrate_pages(0, to, from));
	show_result("syscall migrate",
		    syscall(SYS_migrate_pages, 0, from->size + 1, from->maskp, to->maskp));
	show_result("maxnode 0", migrate_pages(0, 0, from->maskp, to->maskp));
	show_result("migrate pid", migrate_pages(-1, from->size + 1, from->maskp, to->maskp));
	show_result("no nodes", migrate_pages(0, from->size + 1, from->maskp, NULL));
	show_result("bad mask", syscall(SYS_migrate_pages, 0, 65L, 8L, 8L));
	numa_bitmask_clearall(to);
	show_result("empty", numa_migrate_pages(0, from, to));
	numa_free_nodemask(from);
	numa_free_nodemask(to);
}

int main(void)
{
	int node = last_node();

	arena_make(&a, 0);
	moves(node);
	bad_moves();
	migrations(node);
	errno = 77;
	move_pages(0, NR_PAGES, a.pages, a.nodes, a.status, MPOL_MF_MOVE);
	printf("errno after success %d\n", errno);
	printf("damaged %d\n", arena_damage(&a));
	return 0;
}
