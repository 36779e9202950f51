// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * move_pages(2) stops at the first page that it cannot move. This file makes the calls, and
 * continues after such a page.
 */
#include <errno.h>

#include "lib/core/slice.h"

static void slice_unset(struct slice *slice, unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++)
		slice->status[i] = STATUS_UNSET;
}

void slice_query(struct slice *slice)
{
	if (sys_move_pages(slice->pid, slice->nr_pages, slice->pages, NULL, slice->status, 0))
		slice_unset(slice, 0, slice->nr_pages);
}

static long slice_move_part(struct slice *slice, unsigned int first, unsigned int nr)
{
	slice_unset(slice, first, nr);
	return sys_move_pages(slice->pid, nr, slice->pages + first, slice->nodes + first,
			      slice->status + first, slice->flags);
}

long slice_move(struct slice *slice)
{
	return slice_move_part(slice, 0, slice->nr_pages);
}

/*
 * A call for this page alone failed. Sets its status: its node if the page is at its destination
 * nevertheless, otherwise an error.
 */
static void slice_settle_page(struct slice *slice, unsigned int at, long ret)
{
	int status = -EBUSY;

	if (slice->status[at] != STATUS_UNSET)
		return;
	if (sys_move_pages(slice->pid, 1, slice->pages + at, NULL, &status, 0))
		status = -EBUSY;
	if (status >= 0 && status != slice->nodes[at])
		status = ret < 0 ? (int)ret : -EBUSY;
	slice->status[at] = status;
}

/* True if every further call would fail with the same error. */
static bool slice_error_is_final(long ret)
{
	return ret == -ESRCH || ret == -EPERM || ret == -EINVAL || ret == -ENOSYS ||
	       ret == -ENODEV || ret == -EACCES;
}

static void slice_settle_rest(struct slice *slice, int status)
{
	for (unsigned int i = 0; i < slice->nr_pages; i++)
		if (slice->status[i] == STATUS_UNSET)
			slice->status[i] = status;
}

static bool slice_part_is_settled(const struct slice *slice, unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++)
		if (slice->status[i] == STATUS_UNSET)
			return false;
	return true;
}

/*
 * A call that stops returns how many pages it did not move, but not which. So its part is halved
 * until the page that stops it is alone. Not recursive: the stacks of workers are small.
 */
unsigned int slice_move_all(struct slice *slice)
{
	struct {
		unsigned int first, nr;
	} todo[32];
	unsigned int depth = 0, nr_calls = 0;

	slice_unset(slice, 0, slice->nr_pages);
	todo[depth].first = 0;
	todo[depth++].nr = slice->nr_pages;
	while (depth) {
		unsigned int first = todo[--depth].first, nr = todo[depth].nr;
		long ret = slice_move_part(slice, first, nr);

		nr_calls++;
		if (slice_error_is_final(ret)) {
			slice_settle_rest(slice, (int)ret);
			break;
		}
		if (ret == 0 && slice_part_is_settled(slice, first, nr))
			continue;
		if (nr == 1) {
			slice_settle_page(slice, first, ret);
			continue;
		}
		todo[depth].first = first + nr / 2;
		todo[depth++].nr = nr - nr / 2;
		todo[depth].first = first;
		todo[depth++].nr = nr / 2;
	}
	return nr_calls;
}
