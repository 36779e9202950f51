/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists that name huge pages, each by one address. move_pages(2) moves the whole of such a page, so
 * to the exchange mover the list is as many ranges of 2 MiB, and short as it may be, there is work
 * for several threads in it.
 */
#ifndef FERRY_HUGE_LIST_H
#define FERRY_HUGE_LIST_H

#include "include/pageferry.h"

/* Fewer are the kernel's: it is done before workers have woken. */
#define HUGE_LIST_MIN 4

/*
 * May this be such a list? A look at the first two entries, so that others lose no time; in another
 * process they have to be where huge pages begin.
 */
bool huge_list_begins(int pid, unsigned long count, void **pages);
/* Is the first entry a huge page's, in that other process? */
bool huge_list_elsewhere(int pid, void **pages);

/*
 * Moves the pages of a list that begins so: each address on a huge page of its own, all to one
 * node. True if every page is on that node now. False is no answer: the list is of another kind, or
 * some of its pages stayed, and the system call says what of them. The caller has checked flags and
 * process (its own), and blocked signals.
 */
bool huge_list_move(struct ferry *ferry, unsigned long count, void **pages, const int *nodes,
		    int flags, int *node);

#endif
