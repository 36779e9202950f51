// SPDX-License-Identifier: LGPL-2.1-or-later
/* A call from .preinit_array, before the constructors of all libraries, including the drop-in's. */
#include "victim.h"

static struct arena a;
static long early;

static void before(int argc __maybe_unused, char **argv __maybe_unused, char **envp __maybe_unused)
{
	a.base = (unsigned char *)syscall(SYS_mmap, NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
	syscall(SYS_madvise, a.base, NR_PAGES * PAGE, MADV_NOHUGEPAGE);
	for (int i = 0; i < NR_PAGES; i++) {
		memset(a.base + i * PAGE, i & 0xff, PAGE);
		a.pages[i] = a.base + i * PAGE;
	}
	early = arena_move(&a, 0);
}

static __attribute__((section(".preinit_array"), used)) void (*hook)(int, char **,
								     char **) = before;

int main(void)
{
	printf("before all: %ld misplaced %d damaged %d\n", early, arena_misplaced(&a),
	       arena_damage(&a));
	return 0;
}
