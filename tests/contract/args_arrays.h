/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes to a request: counts, pointers, arrays that end early, nodes. */
#ifndef CONTRACT_ARGS_ARRAYS_H
#define CONTRACT_ARGS_ARRAYS_H

#include <limits.h>

#include "tests/contract/args_process.h"

#define ENDS_AT 512 /* entries of an array that ends early */
#define NR_ARG  600

static void *const bad_pointer = (void *)8;

/* ---- pointers and counts -------------------------------------------------------------------- */

static void count_0_all_null(struct scene *s)
{
	s->count = 0;
	s->pages = NULL;
	s->nodes = NULL;
	s->status = NULL;
}

static void count_0_bad_pointers(struct scene *s)
{
	s->count = 0;
	s->pages = bad_pointer;
	s->nodes = bad_pointer;
	s->status = bad_pointer;
}

static void count_1(struct scene *s)
{
	s->count = 1;
}
static void count_max(struct scene *s)
{
	s->count = ULONG_MAX;
}
static void count_wraps_bytes(struct scene *s)
{
	s->count = (1UL << 61) + 3;
}
static void count_sign(struct scene *s)
{
	s->count = 1UL << 63;
}
static void pages_null(struct scene *s)
{
	s->pages = NULL;
}
static void pages_bad(struct scene *s)
{
	s->pages = bad_pointer;
}
static void pages_kernel(struct scene *s)
{
	s->pages = (void *)0xffff888000000000;
}
static void nodes_bad(struct scene *s)
{
	s->nodes = bad_pointer;
}
static void status_null(struct scene *s)
{
	s->status = NULL;
}
static void status_bad(struct scene *s)
{
	s->status = bad_pointer;
}
static void status_kernel(struct scene *s)
{
	s->status = (void *)0xffffffff81000000;
}

/* A copy of the array in which the mapping ends before entry ENDS_AT. */
static void *scene_copy_ending(struct scene *s, const void *from, size_t entry_bytes)
{
	size_t len = ALIGN_UP(ENDS_AT * entry_bytes, PAGE_BYTES);
	char *p = map_at(s, len + PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_POPULATE);

	munmap(p + len, PAGE_BYTES);
	p += len - ENDS_AT * entry_bytes;
	memcpy(p, from, ENDS_AT * entry_bytes);
	return p;
}

static void pages_end(struct scene *s)
{
	s->pages = scene_copy_ending(s, s->real_pages, sizeof(void *));
}

static void nodes_end(struct scene *s)
{
	s->nodes = scene_copy_ending(s, s->real_nodes, sizeof(int));
}

static void status_ends(struct scene *s)
{
	s->real_status = scene_copy_ending(s, s->real_status, sizeof(int));
	s->status = s->real_status;
	s->answer->nr = ENDS_AT;
}

static void pages_and_status_end(struct scene *s)
{
	pages_end(s);
	status_ends(s);
}

static void pages_end_count_max(struct scene *s)
{
	pages_end(s);
	s->count = ULONG_MAX;
}

static void pages_end_query(struct scene *s)
{
	pages_end(s);
	s->nodes = NULL;
}

/* A query stores statuses in chunks. Here the array ends inside a chunk. */
static void pages_end_odd_query(struct scene *s)
{
	pages_end_query(s);
	s->pages += 5;
	memmove(s->real_pages, s->real_pages + 5, (NR_ARG - 5) * sizeof(void *));
}

static void status_ends_query(struct scene *s)
{
	status_ends(s);
	s->nodes = NULL;
}

static void status_ends_odd_query(struct scene *s)
{
	status_ends_query(s);
	s->status += 5;
	s->real_status += 5;
	s->answer->nr = ENDS_AT - 5;
}

static void query_pages_null(struct scene *s)
{
	s->nodes = NULL;
	s->pages = NULL;
}

static void query_status_null(struct scene *s)
{
	s->nodes = NULL;
	s->status = NULL;
}

static void status_read_only(struct scene *s)
{
	mprotect(s->real_status, MAX_PAGES * sizeof(int), PROT_READ);
}

static void pages_unreadable(struct scene *s)
{
	s->pages = scene_copy_ending(s, s->real_pages, sizeof(void *));
	mprotect((void *)ALIGN_DOWN((uintptr_t)s->pages, PAGE_BYTES), PAGE_BYTES, PROT_NONE);
}

static void pages_misaligned(struct scene *s)
{
	s->pages = (void **)((char *)map_pages(s, 8) + 1);
	memcpy(s->pages, s->real_pages, NR_ARG * sizeof(void *));
}

static void status_misaligned(struct scene *s)
{
	s->real_status = (int *)((char *)s->real_status + 1);
	s->status = s->real_status;
	for (int i = 0; i < NR_ARG; i++)
		memcpy(&s->real_status[i], &(int){UNTOUCHED}, sizeof(int));
}

/* Programs use one array for both. */
static void status_is_nodes(struct scene *s)
{
	memcpy(s->real_status, s->real_nodes, NR_ARG * sizeof(int));
	s->nodes = s->real_status;
}

static void status_is_nodes_bad(struct scene *s)
{
	status_is_nodes(s);
	s->nodes[300] = -5;
}

static void status_is_pages(struct scene *s)
{
	void **copy = (void **)map_touched(s, 8);

	memcpy(copy, s->real_pages, NR_ARG * sizeof(void *));
	s->pages = copy;
	s->status = (int *)copy;
	s->real_status = s->status;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static void node_first_absent(struct scene *s)
{
	s->real_nodes[0] = 63;
}
static void node_middle_absent(struct scene *s)
{
	s->real_nodes[300] = 63;
}
static void node_last_absent(struct scene *s)
{
	s->real_nodes[NR_ARG - 1] = 63;
}
static void node_negative(struct scene *s)
{
	s->real_nodes[300] = -1;
}
static void node_lowest(struct scene *s)
{
	s->real_nodes[1] = (int)0x80000000;
}
static void node_1023(struct scene *s)
{
	s->real_nodes[300] = 1023;
}
static void node_1024(struct scene *s)
{
	s->real_nodes[300] = 1024;
}
static void node_highest(struct scene *s)
{
	s->real_nodes[300] = 0x7fffffff;
}

static void node_bad_behind_bad_page(struct scene *s)
{
	s->real_pages[100] = NULL;
	s->real_nodes[300] = -1;
	s->real_pages[400] = NULL;
}

static void node_bad_at_bad_page(struct scene *s)
{
	s->real_pages[300] = NULL;
	s->real_nodes[300] = 63;
}

static void node_bad_before_end_of_pages(struct scene *s)
{
	pages_end(s);
	s->real_nodes[300] = 63;
}

static void node_bad_behind_end_of_pages(struct scene *s)
{
	pages_end(s);
	s->real_nodes[550] = 63;
}

static void node_bad_and_status_bad(struct scene *s)
{
	s->real_nodes[300] = 63;
	s->status = bad_pointer;
}

static void node_bad_of_kthread(struct scene *s)
{
	pid_kthread(s);
	s->real_nodes[0] = -1;
}

static void node_alternates(struct scene *s)
{
	for (int i = 0; i < NR_ARG; i++)
		s->real_nodes[i] = i % 2 ? s->node_far : 0;
}

static void node_far_then_absent(struct scene *s)
{
	for (int i = 0; i < NR_ARG; i++)
		s->real_nodes[i] = i / 100 % 2 ? s->node_far : 0;
	s->real_nodes[350] = 63;
}

static void all_far_pages_end(struct scene *s)
{
	for (int i = 0; i < NR_ARG; i++)
		s->real_nodes[i] = s->node_far;
	pages_end(s);
}

static void all_far_status_ends(struct scene *s)
{
	for (int i = 0; i < NR_ARG; i++)
		s->real_nodes[i] = s->node_far;
	status_ends(s);
}

#endif
