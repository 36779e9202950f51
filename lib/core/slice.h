/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real system calls: where pages are, and moving a slice of them. */
#ifndef FERRY_SLICE_H
#define FERRY_SLICE_H

#include "base/base.h"
#include "include/pageferry.h"
#include "base/uapi.h"

/* Pages per system call at most; a lane's scratch arrays hold as many. */
#define SLICE_MAX_PAGES 20480U

/* Status of a page that nobody has settled yet; no errno and no node. */
#define STATUS_UNSET INT32_MIN

struct slice {
	int pid;
	int flags; /* MPOL_MF_MOVE or MPOL_MF_MOVE_ALL */
	unsigned int nr_pages;
	void *pages[SLICE_MAX_PAGES];
	int nodes[SLICE_MAX_PAGES];
	int status[SLICE_MAX_PAGES];
};

/* request_flags: FERRY_MOVE_… of a request. */
static inline int mpol_flags(unsigned int request_flags)
{
	return request_flags & FERRY_MOVE_ALL ? FERRY_MPOL_MF_MOVE_ALL : FERRY_MPOL_MF_MOVE;
}

/* Sets statuses to where the pages are now; STATUS_UNSET if that can't be told. */
void slice_look(struct slice *slice);

/*
 * One call for the slice. As the kernel answers: 0, n > 0 pages not moved, -errno. Statuses that
 * the kernel did not write are STATUS_UNSET.
 */
long slice_move(struct slice *slice);

/*
 * Moves what can be moved: goes on behind pages that fail, until every status is set. Returns the
 * number of system calls made.
 */
unsigned int slice_move_all(struct slice *slice);

#endif
