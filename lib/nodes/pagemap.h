/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is mapped at an address: PAGEMAP_SCAN, and the entries of /proc/PID/pagemap. */
#ifndef FERRY_PAGEMAP_H
#define FERRY_PAGEMAP_H

#include "base/base.h"
#include "base/bits.h"
#include "base/own_fd.h"

/* ---- this process ---- */

/* Opens /proc/self/pagemap once per process. 0 or -errno. */
int pagemap_open(void);
/* In a forked child: the file shows the parent's pages, so it is closed. */
void pagemap_forget(void);
/* The file, for the functions that take one; pagemap.c closes it. -1 while it is not open. */
int pagemap_own(void);

/* What up to 2 MiB of address space hold; bit 0 is the first page. */
struct page_kinds {
	struct page_map movable; /* present, anonymous, not the zero page, no part of a huge page */
	struct page_map absent;  /* holes */
	bool huge;               /* one transparent huge page, mapped as such */
};

/* 0 or -errno. */
int __must_check pagemap_kinds(uintptr_t addr, unsigned int nr_pages, struct page_kinds *out);

enum page_look {
	PAGE_LOOKS_SMALL, /* or a hole */
	PAGE_LOOKS_HUGE,  /* a part of a transparent huge page, mapped as such */
	PAGE_LOOKS_ZERO,  /* the zero page, small or huge */
};

enum page_look pagemap_look(uintptr_t addr);

/* True if addr is in a transparent huge page that is mapped as such. */
bool pagemap_is_huge(uintptr_t addr);

/* Reads the raw entries of nr_pages pages. 0 or -errno. */
int __must_check pagemap_entries(uintptr_t addr, unsigned int nr_pages, uint64_t *out);

/* ---- raw entries ---- */

#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_SWAPPED (1ULL << 62)

/* The frame number; 0 if no page is present, or if the kernel hides frame numbers. */
static inline uint64_t pagemap_frame(uint64_t entry)
{
	return entry & PAGEMAP_PRESENT ? entry & ((1ULL << 55) - 1) : 0;
}

/* ---- any process ---- */

/* Opens the pagemap of a process, to be closed by own_fd_drop(). 0 or -errno. */
int pagemap_open_of(int pid, struct own_fd *out);
/* As pagemap_entries(). fd may be that of a file which could not be opened: the call fails. */
int __must_check pagemap_entries_of(int fd, uintptr_t addr, unsigned int nr_pages, uint64_t *out);
/*
 * True if addr is in a huge page; false as well if the file could not be opened. A kernel without
 * PAGEMAP_SCAN cannot tell a huge page from small pages that lie in its place.
 */
bool pagemap_seems_huge_of(int fd, uintptr_t addr);
/* The same for a single question: opens and closes the pagemap. */
bool pagemap_seems_huge_in(int pid, uintptr_t addr);

#endif
