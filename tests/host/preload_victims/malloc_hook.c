// SPDX-License-Identifier: LGPL-2.1-or-later
/* The program's malloc moves pages, as NUMA-aware allocators do, so calls are recursive. */
#include <stddef.h>

#include "victim.h"

extern void *__libc_malloc(size_t);

static struct arena a;
static int ready;
static unsigned long nr_calls, nr_bad;

void *malloc(size_t size)
{
	void *p = __libc_malloc(size);
	int saved_errno = errno;

	if (__atomic_load_n(&ready, __ATOMIC_ACQUIRE)) {
		__atomic_add_fetch(&nr_calls, 1, __ATOMIC_RELAXED);
		if (syscall(SYS_move_pages, 0, NR_PAGES, a.pages, a.nodes, a.status, MF_MOVE) < 0)
			__atomic_add_fetch(&nr_bad, 1, __ATOMIC_RELAXED);
	}
	errno = saved_errno;
	return p;
}

int main(void)
{
	unsigned long nr_wanted = (unsigned long)repetitions(50);

	arena_make(&a, 0);
	__atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
	for (unsigned long i = 0; i < nr_wanted; i++) {
		void *volatile p = malloc(100);

		free(p);
	}
	__atomic_store_n(&ready, 0, __ATOMIC_RELEASE);
	printf("called %s, failed %lu, damaged %d\n",
	       nr_calls >= nr_wanted ? "often" : "too rarely", nr_bad, arena_damage(&a));
	return 0;
}
