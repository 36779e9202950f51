// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Put-in must succeed for every page in flight, so it has three methods:
 *
 *   UFFDIO_MOVE of a whole stretch       the usual case
 *   UFFDIO_MOVE of a page                the mapping was split, moved or unmapped in part
 *   UFFDIO_COPY of a page                the mapping is read-only or locked now: MOVE refuses it
 *
 * It tries them in turn, again and again, for as long as it takes. MOVE needs memory for page
 * tables, COPY for a frame. If there is none, put-in frees the page's new frame and goes on with
 * the old one, which the slot still holds. It drops only content that the program itself has thrown
 * away (munmap, MADV_DONTNEED).
 *
 * Put-in uses no call that replaces a mapping, such as mremap(2) or mmap(2) with MAP_FIXED. Only
 * MOVE and COPY wait for unread events: another call would not know that the program has mapped
 * other memory there, or that a clone(2) has just missed the page.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "lib/core/context.h"
#include "lib/exchange/move_gate.h"
#include "lib/exchange/put_in.h"
#include "lib/nodes/pagemap.h"
#include "lib/uffd/uffd.h"

/*
 * How often MOVE and COPY may fail, for all pages of a parcel together, before put-in frees new
 * frames. Increasing this gives the kernel longer to find memory elsewhere; decreasing it ends the
 * stall sooner, but pages whose frame was freed have to be moved again.
 */
#define PATIENCE_ROUNDS 500

enum page_end {
	PAGE_PENDING, /* an event waits to be read: until then the mapping there is unknown */
	PAGE_WAITS,   /* not yet: try again */
	PAGE_ARRIVED, /* the frame itself is at its address */
	PAGE_COPIED,  /* the content is at its address, in another frame */
	PAGE_GONE,    /* the program has thrown the content away */
};

/* ---- one page, one method ---- */

static uintptr_t page_home(const struct parcel *parcel, unsigned int page)
{
	return parcel->disturbed ? parcel->home[page] : parcel->at + (uintptr_t)page * PAGE_BYTES;
}

/* MOVE can move pages of a large folio and answer with an error all the same. */
static bool page_has_left(uintptr_t source)
{
	struct page_kinds kinds;

	return !pagemap_kinds(source, 1, &kinds) && map_test(&kinds.absent, 0);
}

/*
 * ENOENT: there is no mapping. MOVE and COPY look for unread events before and after they look for
 * the mapping, but not if they find none. mremap(2) may have carried it elsewhere in between. Its
 * event stays unread as long as this lane is inside `move_gate`, so this sees it.
 */
static enum page_end page_without_mapping(const struct lane *lane)
{
	return uffd_has_unread_event(lane->ferry->uffd) ? PAGE_PENDING : PAGE_GONE;
}

static enum page_end page_put_by_move(struct lane *lane, uintptr_t at, uintptr_t source)
{
	size_t moved;
	int err = uffd_move(lane->ferry->uffd, at, source, PAGE_BYTES, false, &moved);

	if (!err || page_has_left(source))
		return PAGE_ARRIVED;
	if (err == -EAGAIN)
		return PAGE_PENDING;
	if (err == -ENOENT)
		return page_without_mapping(lane);
	/* EEXIST: newer memory is mapped there. */
	return err == -EEXIST ? PAGE_GONE : PAGE_WAITS;
}

static enum page_end page_put_by_copy(struct lane *lane, uintptr_t at, uintptr_t source)
{
	switch (uffd_copy_page(lane->ferry->uffd, at, source)) {
	case 0:
		return PAGE_COPIED;
	case -EEXIST:
		return PAGE_GONE;
	case -ENOENT: /* or a new mapping that is not registered: ours was unmapped */
		return page_without_mapping(lane);
	case -EAGAIN:
		return PAGE_PENDING;
	default:
		return PAGE_WAITS;
	}
}

/* ---- one page, all methods ---- */

static uintptr_t parcel_source(const struct parcel *parcel, unsigned int page, bool from_slot)
{
	return (from_slot ? parcel->slot.addr : parcel->frames.addr) + (uintptr_t)page * PAGE_BYTES;
}

/*
 * Frees the page's frame in a span of a pool. The pool is registered, too, so the call waits until
 * the watcher has read its event, and the lane leaves the gate for that.
 */
static bool frame_free(struct lane *lane, uintptr_t at)
{
	bool freed;

	move_gate_leave(lane);
	freed = !sys(SYS_madvise, at, PAGE_BYTES, MADV_DONTNEED);
	move_gate_enter(lane);
	return freed;
}

static enum page_end page_try_put(struct lane *lane, struct parcel *parcel, unsigned int page,
				  bool from_slot)
{
	uintptr_t source = parcel_source(parcel, page, from_slot);
	enum page_end end;

	if (parcel->disturbed && map_test(&parcel->dropped, page))
		return PAGE_GONE;
	end = page_put_by_move(lane, page_home(parcel, page), source);
	if (end == PAGE_WAITS || end == PAGE_PENDING)
		end = page_put_by_copy(lane, page_home(parcel, page), source);
	return end;
}

/* Sets *from_slot if it has freed the new frame. */
static enum page_end page_put(struct lane *lane, struct parcel *parcel, unsigned int page,
			      bool *from_slot)
{
	/* A device may still write a stray frame. */
	bool may_free = !map_test(&parcel->stray, page);

	for (unsigned int tries = 0;; tries++) {
		enum page_end end = page_try_put(lane, parcel, page, *from_slot);

		if (end != PAGE_WAITS && end != PAGE_PENDING)
			return end;
		parcel->nr_rounds += end == PAGE_WAITS;
		if (may_free && parcel->nr_rounds >= PATIENCE_ROUNDS) {
			*from_slot = true;
			may_free = !frame_free(lane, parcel_source(parcel, page, false));
			continue; /* before others take the frame */
		}
		move_gate_step_outside(lane, tries);
	}
}

/* ---- stretches ---- */

static void parcel_put_page(struct lane *lane, struct parcel *parcel, unsigned int page,
			    bool from_slot)
{
	bool taken = !from_slot;
	enum page_end end;

	parcel->came_apart = true;
	parcel->recheck = true;
	end = page_put(lane, parcel, page, &from_slot);
	if (taken && from_slot)
		map_clear_range(&parcel->taken, page, 1);
	if (!from_slot && end == PAGE_ARRIVED)
		map_set(&parcel->arrived, page);
	else if (from_slot && (end == PAGE_COPIED || end == PAGE_GONE))
		frame_free(lane, parcel_source(parcel, page, true));
}

/*
 * Moves a stretch by as few calls as possible, as long as the mapping has not changed. Returns the
 * first page that is left.
 */
static unsigned int parcel_move_stretch(struct lane *lane, struct parcel *parcel,
					unsigned int first, unsigned int end, bool from_slot)
{
	unsigned int tries = 0;

	while (first < end && !parcel->disturbed) {
		size_t len = (size_t)(end - first) * PAGE_BYTES, moved;
		int err = uffd_move(lane->ferry->uffd, parcel->at + (uintptr_t)first * PAGE_BYTES,
				    parcel_source(parcel, first, from_slot), len, false, &moved);

		if (!from_slot)
			map_set_range(&parcel->arrived, first, (unsigned int)(moved / PAGE_BYTES));
		first += (unsigned int)(moved / PAGE_BYTES);
		if (err && err != -EAGAIN)
			break;
		if (err && !moved)
			move_gate_step_outside(lane, tries++);
	}
	return first;
}

static void parcel_put_stretch(struct lane *lane, struct parcel *parcel, unsigned int first,
			       unsigned int end, bool from_slot)
{
	first = parcel_move_stretch(lane, parcel, first, end, from_slot);
	for (; first < end; first++)
		parcel_put_page(lane, parcel, first, from_slot);
}

static void parcel_put_map(struct lane *lane, struct parcel *parcel, const struct page_map *map,
			   bool from_slot)
{
	for (unsigned int at = 0; at < parcel->nr_pages;) {
		unsigned int start = map_next(map, at, parcel->nr_pages, true);
		unsigned int end = map_next(map, start, parcel->nr_pages, false);

		if (start < end)
			parcel_put_stretch(lane, parcel, start, end, from_slot);
		at = end;
	}
}

void parcel_put_in(struct lane *lane, struct parcel *parcel)
{
	struct page_map taken = parcel->taken, back = parcel->back;

	parcel->nr_rounds = 0;
	parcel_put_map(lane, parcel, &taken, false);
	parcel_put_map(lane, parcel, &back, true);
	memset(&parcel->back, 0, sizeof(parcel->back));
}
