// SPDX-License-Identifier: LGPL-2.1-or-later
/* The library that dlopen.c loads. */
#include "victim.h"

long plugin_result = -99;

static __attribute__((constructor)) void start(void)
{
	static struct arena a;

	arena_make(&a, 0);
	plugin_result = arena_move(&a, last_node()) + arena_misplaced(&a) + arena_damage(&a);
}
