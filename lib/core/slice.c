// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "lib/core/slice.h"

static void unset(struct slice *slice, unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++)
		slice->status[i] = STATUS_UNSET;
}

void slice_look(struct slice *slice)
{
	if (sys_move_pages(slice->pid, slice->nr_pages, slice->pages, NULL, slice->status, 0))
		unset(slice, 0, slice->nr_pages);
}

static long move_part(struct slice *slice, unsigned int first, unsigned int nr)
{
	unset(slice, first, nr);
	return sys_move_pages(slice->pid, nr, slice->pages + first, slice->nodes + first,
			      slice->status + first, slice->flags);
}

long slice_move(struct slice *slice)
{
	return move_part(slice, 0, slice->nr_pages);
}

/* The call stopped at this page alone: it stays where it is, or has been moved all the same. */
static void settle_single(struct slice *slice, unsigned int at, long ret)
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

/* Answers that every further call would get as well. */
static bool is_final(long ret)
{
	return ret == -ESRCH || ret == -EPERM || ret == -EINVAL || ret == -ENOSYS ||
	       ret == -ENODEV || ret == -EACCES;
}

static void settle_rest(struct slice *slice, int status)
{
	for (unsigned int i = 0; i < slice->nr_pages; i++)
		if (slice->status[i] == STATUS_UNSET)
			slice->status[i] = status;
}

static bool part_is_settled(const struct slice *slice, unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++)
		if (slice->status[i] == STATUS_UNSET)
			return false;
	return true;
}

/*
 * A call that stops tells how many pages it left but not which, so the part is halved until the
 * page that stops it stands alone. Iterative: lane stacks are small.
 */
unsigned int slice_move_all(struct slice *slice)
{
	struct {
		unsigned int first, nr;
	} todo[32];
	unsigned int depth = 0, nr_calls = 0;

	unset(slice, 0, slice->nr_pages);
	todo[depth].first = 0;
	todo[depth++].nr = slice->nr_pages;
	while (depth) {
		unsigned int first = todo[--depth].first, nr = todo[depth].nr;
		long ret = move_part(slice, first, nr);

		nr_calls++;
		if (is_final(ret)) {
			settle_rest(slice, (int)ret);
			break;
		}
		if (ret == 0 && part_is_settled(slice, first, nr))
			continue;
		if (nr == 1) {
			settle_single(slice, first, ret);
			continue;
		}
		todo[depth].first = first + nr / 2;
		todo[depth++].nr = nr - nr / 2;
		todo[depth].first = first;
		todo[depth++].nr = nr / 2;
	}
	return nr_calls;
}
