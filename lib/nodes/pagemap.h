/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands behind addresses of this process: PAGEMAP_SCAN and PROCMAP_QUERY. */
#ifndef FERRY_PAGEMAP_H
#define FERRY_PAGEMAP_H

#include "base/base.h"
#include "base/bits.h"

/* What up to 2 MiB of address space hold; bit 0 is the first page. */
struct page_kinds {
	struct page_map movable; /* present, anonymous, not the zero page, no part of a huge one */
	struct page_map absent;  /* nothing there at all */
	bool huge;               /* one transparent huge page, mapped as such */
};

/* Both open /proc files once per process and keep them. 0 or -errno. */
int pagemap_open(void);
/* In a forked child: the files belong to the parent. */
void pagemap_forget(void);

int __must_check pagemap_kinds(uintptr_t addr, unsigned int nr_pages, struct page_kinds *out);

enum page_look {
	PAGE_LOOKS_SMALL, /* or nothing is there */
	PAGE_LOOKS_HUGE,  /* mapped by a transparent huge page, as such */
	PAGE_LOOKS_ZERO,  /* the zero page, small or huge */
};

enum page_look pagemap_look(uintptr_t addr);

/* Is addr mapped by a transparent huge page, as such? */
bool pagemap_is_huge(uintptr_t addr);

#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_SWAPPED (1ULL << 62)

/* Of a raw entry; 0: nothing is there, or the process may not know. */
static inline uint64_t pagemap_frame(uint64_t entry)
{
	return entry & PAGEMAP_PRESENT ? entry & ((1ULL << 55) - 1) : 0;
}

/* The raw entries of /proc/self/pagemap. 0 or -errno. */
int __must_check pagemap_entries(uintptr_t addr, unsigned int nr_pages, uint64_t *out);

/*
 * The same of any process. Its pagemap as a file to be closed, -errno where that is not allowed;
 * what follows takes that, too, and can't tell then.
 */
int pagemap_open_of(int pid);
/* This process's, not to be closed. */
int pagemap_own(void);
/*
 * Is addr mapped by a huge page? Where the kernel does not tell, small ones that lie together like
 * one seem to be one.
 */
bool pagemap_seems_huge_of(int fd, uintptr_t addr);
/* The same of another process, of which no more is to be asked. */
bool pagemap_seems_huge_in(int pid, uintptr_t addr);
int __must_check pagemap_entries_of(int fd, uintptr_t addr, unsigned int nr_pages, uint64_t *out);

struct mapping {
	uintptr_t start, end;
	bool exchangeable; /* private, anonymous, readable and writable, not executable */
};

/* The mapping that covers addr, or the next one above. 0, -ENOENT (none), -errno. */
int __must_check mapping_find(uintptr_t addr, struct mapping *out);
/* PROT_* bits of the mapping at addr; -ENOENT if there is none. */
int mapping_protection(uintptr_t addr);

#endif
