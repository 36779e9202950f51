// SPDX-License-Identifier: LGPL-2.1-or-later
/* Calls before main, in the earliest constructor of a program, and after exit() has begun. */
#include "victim.h"

static struct arena a;
static long early, late;

static __attribute__((constructor(101))) void before(void)
{
	arena_make(&a, 0);
	early = arena_move(&a, last_node());
}

static __attribute__((destructor)) void after(void)
{
	late = arena_move(&a, 0);
	printf("after main: %ld misplaced %d damaged %d\n", late, arena_misplaced(&a),
	       arena_damage(&a));
	fflush(stdout);
}

int main(void)
{
	printf("before main: %ld misplaced %d damaged %d\n", early, arena_misplaced(&a),
	       arena_damage(&a));
	return 0;
}
