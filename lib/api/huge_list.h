/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists that name huge pages by one address each. move_pages(2) moves the whole of such a page. So
 * a list becomes as many ranges of 2 MiB for the exchange mover, and even a short one has work for
 * several threads.
 */
#ifndef FERRY_HUGE_LIST_H
#define FERRY_HUGE_LIST_H

#include "include/pageferry.h"

/*
 * Shorter lists go to the kernel, which moves them before workers are awake. Decreasing this wakes
 * workers for less work; increasing it leaves more lists to one thread.
 */
#define HUGE_LIST_MIN 4

/*
 * True if the list may name huge pages. Looks at the first two entries only, so that other lists
 * lose no time. In another process these must be addresses where huge pages can begin.
 */
bool huge_list_begins(int pid, unsigned long count, void **pages);
/* True if the first entry is in a huge page of that other process. */
bool huge_list_elsewhere(int pid, void **pages);

/*
 * Moves the pages of a list for which huge_list_begins() was true, if each address is in a huge
 * page of its own and all go to one node. True: every page is on *node now. False: undecided, fall
 * back to move_pages(2); the list is of another kind, or some pages did not move. The caller has
 * checked the flags and that the process is its own, and has blocked signals.
 */
bool huge_list_move(struct ferry *ferry, unsigned long count, void **pages, const int *nodes,
		    int flags, int *node);

#endif
