// SPDX-License-Identifier: LGPL-2.1-or-later
/* Loads libnuma at run time, and a library whose constructor moves pages. */
#include <dlfcn.h>

#include "victim.h"

int main(int argc, char **argv)
{
	static struct arena a;
	long (*move)(int, unsigned long, void **, const int *, int *, int);
	void *plugin = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	void *numa = dlopen("libnuma.so.1", RTLD_LAZY | RTLD_LOCAL);
	static const char *const names[] = {"move_pages", "numa_move_pages"};

	if (!plugin || !numa) {
		printf("dlopen: %s\n", dlerror());
		return 2;
	}
	printf("plugin's constructor: %ld\n", *(long *)dlsym(plugin, "plugin_result"));
	arena_make(&a, 0);
	for (int i = 0; i < 2; i++) {
		move = (__typeof__(move))dlsym(numa, names[i]);
		arena_aim(&a, i ? 0 : last_node());
		arena_print(names[i], &a, move(0, NR_PAGES, a.pages, a.nodes, a.status, MF_MOVE),
			    errno);
	}
	dlclose(numa);
	dlclose(plugin);
	return 0;
}
