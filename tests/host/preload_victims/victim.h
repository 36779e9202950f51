/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared by the victims. A victim is a program without any knowledge of pageferry. Its output must
 * be the same with and without the drop-in. It moves pages between node 0 and the last node with
 * memory.
 */
#ifndef VICTIM_H
#define VICTIM_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define __maybe_unused __attribute__((unused))

#define PAGE 4096UL
/* More than PAGEFERRY_MIN_PAGES and than the library leaves to the plain call. */
#define NR_PAGES 512
#define MF_MOVE  2

/* An emulated guest, where everything takes a hundred times as long, asks for fewer repetitions. */
static inline int repetitions(int nr)
{
	return getenv("VICTIM_BRIEF") ? nr / 4 : nr;
}

struct arena {
	unsigned char *base;
	void *pages[NR_PAGES];
	int nodes[NR_PAGES];
	int status[NR_PAGES];
};

static inline void die(const char *what)
{
	printf("%s failed: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(2);
}

static inline int last_node(void)
{
	FILE *f = fopen("/sys/devices/system/node/has_memory", "r");
	char list[256] = "0";
	size_t digits;

	if (f) {
		if (!fgets(list, sizeof(list), f))
			list[0] = '0';
		fclose(f);
	}
	list[strcspn(list, "\n")] = '\0';
	for (digits = strlen(list); digits && strchr("0123456789", list[digits - 1]); digits--)
		;
	return atoi(list + digits);
}

static inline void arena_aim(struct arena *a, int node)
{
	for (int i = 0; i < NR_PAGES; i++)
		a->nodes[i] = node;
}

static inline void arena_make(struct arena *a, int node)
{
	a->base = mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	if (a->base == MAP_FAILED)
		die("mmap");
	/* For a huge page the kernel reports some entries as busy, and not always the same ones. */
	madvise(a->base, NR_PAGES * PAGE, MADV_NOHUGEPAGE);
	for (int i = 0; i < NR_PAGES; i++) {
		memset(a->base + i * PAGE, i & 0xff, PAGE);
		a->pages[i] = a->base + i * PAGE;
		a->status[i] = -99;
	}
	arena_aim(a, node);
}

/* The number of pages that hold a wrong byte. */
static inline int arena_damage(const struct arena *a)
{
	int nr = 0;

	for (int i = 0; i < NR_PAGES; i++) {
		for (size_t k = 0; k < PAGE; k++) {
			if (a->base[i * PAGE + k] != (i & 0xff)) {
				nr++;
				break;
			}
		}
	}
	return nr;
}

/* The number of entries whose status is not the wanted node. */
static inline int arena_misplaced(const struct arena *a)
{
	int nr = 0;

	for (int i = 0; i < NR_PAGES; i++)
		nr += a->status[i] != a->nodes[i];
	return nr;
}

static inline long arena_move(struct arena *a, int node)
{
	arena_aim(a, node);
	return syscall(SYS_move_pages, 0, NR_PAGES, a->pages, a->nodes, a->status, MF_MOVE);
}

static inline void arena_print(const char *what, const struct arena *a, long ret, int err)
{
	printf("%s: ret %ld errno %d misplaced %d damaged %d\n", what, ret, ret < 0 ? err : 0,
	       arena_misplaced(a), arena_damage(a));
}

#endif
