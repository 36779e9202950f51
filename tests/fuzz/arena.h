/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of all kinds in random order, which the seed determines. */
#ifndef FUZZ_ARENA_H
#define FUZZ_ARENA_H

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/base.h"
#include "base/sys.h"
#include "tests/fuzz/rounds.h"

#define ARENA_PAGES  4096
#define ARENA_BYTES  (ARENA_PAGES * PAGE_BYTES)
#define ARENA_BASE   0x300000000000UL
#define ARENA_STRIDE 0x10000000UL
#define NR_ODD_ADDRS 8

enum arena_kind {
	ARENA_TOUCHED,
	ARENA_UNTOUCHED,
	ARENA_ZERO_PAGE,
	ARENA_PROT_NONE,
	ARENA_READ_ONLY,
	ARENA_UNMAPPED,
	ARENA_SHARED,
	ARENA_LOCKED,
	NR_ARENA_KINDS,
};

struct arena {
	char *base;
	uint8_t kind[ARENA_PAGES];
};

static inline const char *arena_kind_name(const struct arena *arena, unsigned int page)
{
	static const char *const names[NR_ARENA_KINDS] = {"touched",   "untouched", "zero page",
							  "PROT_NONE", "read-only", "unmapped",
							  "shared",    "locked"};

	return page < ARENA_PAGES ? names[arena->kind[page]] : "an odd address";
}

static inline void *arena_addr(const struct arena *arena, unsigned int page, unsigned int offset)
{
	static const uintptr_t odd[NR_ODD_ADDRS] = {0,
						    0xfff,
						    0x800000000000,
						    0xffffffffff600000,
						    0xffff888000000000,
						    UINTPTR_MAX,
						    0x7ffffffff000,
						    0xdeadbeefdeadbeef};

	if (page >= ARENA_PAGES)
		return (void *)odd[page - ARENA_PAGES];
	return arena->base + page * PAGE_BYTES + offset;
}

static inline uint64_t *arena_words(const struct arena *arena, unsigned int page)
{
	return (uint64_t *)(arena->base + page * PAGE_BYTES);
}

#define LAST_WORD (PAGE_BYTES / sizeof(uint64_t) - 1)

static inline void arena_sign(const struct arena *arena, unsigned int page)
{
	arena_words(arena, page)[0] = ~(uint64_t)page;
	arena_words(arena, page)[LAST_WORD] = page * 0x9e3779b97f4a7c15;
}

static inline bool arena_readable(enum arena_kind kind)
{
	return kind == ARENA_TOUCHED || kind == ARENA_READ_ONLY || kind == ARENA_SHARED ||
	       kind == ARENA_LOCKED;
}

static inline bool arena_intact(const struct arena *arena)
{
	for (unsigned int i = 0; i < ARENA_PAGES; i++) {
		if (arena_readable(arena->kind[i]) &&
		    (arena_words(arena, i)[0] != ~(uint64_t)i ||
		     arena_words(arena, i)[LAST_WORD] != i * 0x9e3779b97f4a7c15))
			return false;
	}
	return true;
}

static inline int arena_make_block(struct arena *arena, unsigned int first, unsigned int nr,
				   enum arena_kind kind, bool huge)
{
	char *p = arena->base + first * PAGE_BYTES;
	size_t len = nr * PAGE_BYTES;
	int err = 0;

	if (kind == ARENA_SHARED && mmap(p, len, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p)
		return -1;
	if (kind != ARENA_SHARED)
		madvise(p, len, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memset(arena->kind + first, kind, nr);
	for (unsigned int i = first; i < first + nr; i++) {
		if (kind == ARENA_ZERO_PAGE)
			(void)*(volatile uint64_t *)arena_words(arena, i);
		else if (kind != ARENA_UNTOUCHED)
			arena_sign(arena, i);
	}
	switch (kind) {
	case ARENA_PROT_NONE:
		err = mprotect(p, len, PROT_NONE);
		break;
	case ARENA_READ_ONLY:
		err = mprotect(p, len, PROT_READ);
		break;
	case ARENA_LOCKED:
		/* At the limit of locked memory the pages are just touched. */
		if (mlock(p, len))
			memset(arena->kind + first, ARENA_TOUCHED, nr);
		break;
	case ARENA_UNMAPPED:
		err = munmap(p, len);
		break;
	default:
		break;
	}
	return err;
}

/* Maps and fills arena number `which`. 0, or -1 with errno. */
static inline int arena_build(struct arena *arena, int which, struct rng *rng)
{
	char *wanted = (char *)(ARENA_BASE + (unsigned int)which * ARENA_STRIDE);
	unsigned int first = 0;

	arena->base = mmap(wanted, ARENA_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (arena->base != wanted)
		return -1;
	while (first < ARENA_PAGES) {
		enum arena_kind kind = one_in(rng, 2) ? ARENA_TOUCHED : below(rng, NR_ARENA_KINDS);
		unsigned int nr = one_in(rng, 4) ? 1 + below(rng, 700) : 1 + below(rng, 20);
		bool huge = one_in(rng, 8) && kind == ARENA_TOUCHED;

		if (huge) {
			/* A gap of ordinary pages, then one or two THPs. */
			unsigned int next_huge = ALIGN_UP(first, (unsigned int)PAGES_PER_HUGE);

			if (next_huge + 2 * PAGES_PER_HUGE > ARENA_PAGES)
				continue;
			if (next_huge > first &&
			    arena_make_block(arena, first, next_huge - first, ARENA_TOUCHED, false))
				return -1;
			first = next_huge;
			nr = (1 + below(rng, 2)) * PAGES_PER_HUGE;
		}
		nr = MIN(nr, ARENA_PAGES - first);
		if (arena_make_block(arena, first, nr, kind, huge))
			return -1;
		first += nr;
	}
	return 0;
}

#endif
