/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A slice: the arguments of one call of move_pages(2), and the ways to make that call.
 */
#ifndef FERRY_SLICE_H
#define FERRY_SLICE_H

#include "base/base.h"
#include "include/pageferry.h"
#include "base/uapi.h"

/*
 * The most pages of a slice, and of a lane's fallback. Increasing this makes fewer system calls for
 * large jobs; decreasing it saves memory per lane.
 */
#define SLICE_MAX_PAGES 20480U

/* The status of a page that is not settled yet: neither a node nor an error number. */
#define STATUS_UNSET INT32_MIN

struct slice {
	int pid;
	int flags; /* MPOL_MF_MOVE or MPOL_MF_MOVE_ALL */
	unsigned int nr_pages;
	void *pages[SLICE_MAX_PAGES];
	int nodes[SLICE_MAX_PAGES];
	int status[SLICE_MAX_PAGES];
};

/* The flags of move_pages(2) for the FERRY_MOVE_* flags of a request. */
static inline int slice_mpol_flags(unsigned int request_flags)
{
	return request_flags & FERRY_MOVE_ALL ? FERRY_MPOL_MF_MOVE_ALL : FERRY_MPOL_MF_MOVE;
}

/* Sets each status to the node that the page is on now; all to STATUS_UNSET if the query fails. */
void slice_query(struct slice *slice);

/*
 * Makes one call for the whole slice and returns the kernel's result: 0, the number of pages that
 * were not moved, or a negative error number. A status that the kernel did not write is
 * STATUS_UNSET.
 */
long slice_move(struct slice *slice);

/*
 * Moves every page that can be moved: it continues after pages that fail, until each status is set.
 * Returns the number of system calls made.
 */
unsigned int slice_move_all(struct slice *slice);

#endif
