// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Put-in must succeed for every page in flight, so it has four methods:
 *
 *   UFFDIO_MOVE of a whole stretch       the usual case
 *   UFFDIO_MOVE of a page                the mapping was split, moved or unmapped in part
 *   UFFDIO_COPY of a page                the mapping is read-only or locked now: MOVE refuses it
 *   mremap(2) of the slot's page         nothing else works (memory has run out)
 *
 * It tries them in turn, again and again, for as long as it takes. It drops only content that the
 * program itself has thrown away (munmap, MADV_DONTNEED).
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "lib/core/context.h"
#include "lib/exchange/move_gate.h"
#include "lib/exchange/put_in.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/pagemap.h"
#include "lib/nodes/vm_flags.h"
#include "lib/uffd/uffd.h"

/*
 * How often MOVE and COPY may fail, for all pages of a parcel together, before mremap is tried.
 * Increasing this gives the kernel longer to find memory; decreasing it ends the stall sooner, but
 * mremap costs the pool a bay.
 */
#define PATIENCE_ROUNDS 500

enum page_end {
	PAGE_PENDING, /* an event waits to be read: until then the mapping there is unknown */
	PAGE_WAITS,   /* not yet: try again */
	PAGE_ARRIVED, /* the frame itself is at its address */
	PAGE_COPIED,  /* the content is at its address, in another frame */
	PAGE_CARRIED, /* the slot's own frame is at its address, and so is its mapping */
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

static enum page_end page_put_by_move(struct lane *lane, uintptr_t at, uintptr_t source)
{
	size_t moved;
	int err = uffd_move(lane->ferry->uffd, at, source, PAGE_BYTES, false, &moved);

	if (!err || page_has_left(source))
		return PAGE_ARRIVED;
	if (err == -EAGAIN)
		return PAGE_PENDING;
	/* EEXIST: newer memory is mapped there. ENOENT: no mapping is left. */
	return err == -EEXIST || err == -ENOENT ? PAGE_GONE : PAGE_WAITS;
}

static enum page_end page_put_by_copy(struct lane *lane, uintptr_t at, uintptr_t source)
{
	switch (uffd_copy_page(lane->ferry->uffd, at, source)) {
	case 0:
		return PAGE_COPIED;
	case -EEXIST:
	case -ENOENT: /* no mapping, or a new one that is not registered: ours was unmapped */
		return PAGE_GONE;
	case -EAGAIN:
		return PAGE_PENDING;
	default:
		return PAGE_WAITS;
	}
}

/*
 * Gives a carried page's mapping the properties of the one that it replaces. A mapping of a pool is
 * DONTFORK and DONTDUMP.
 */
static void page_adopt(uintptr_t at, int prot, const struct vm_flags *flags)
{
	if (flags->wipe_on_fork)
		sys(SYS_madvise, at, PAGE_BYTES, MADV_WIPEONFORK);
	if (!flags->dont_fork)
		sys(SYS_madvise, at, PAGE_BYTES, MADV_DOFORK);
	if (!flags->dont_dump)
		sys(SYS_madvise, at, PAGE_BYTES, MADV_DODUMP);
	sys(SYS_mbind, at, PAGE_BYTES, 0, NULL, 0, 0);
	if (prot != (PROT_READ | PROT_WRITE))
		sys(SYS_mprotect, at, PAGE_BYTES, prot);
}

/*
 * Closes the gap that a carried page has left in the pool's address space. The pool does not use
 * the place again.
 */
static void slot_close_gap(struct parcel *parcel, uintptr_t from)
{
	sys(SYS_mmap, from, PAGE_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	sys(SYS_madvise, from, PAGE_BYTES, MADV_DONTFORK);
	pool_distrust(parcel->source, &parcel->slot);
}

/*
 * Carries the slot's page to its address together with its mapping. mremap waits until the watcher
 * has read its event, so the lane leaves the gate for it. The parcel stays live meanwhile. The
 * event of `from` concerns no parcel, because no page of any parcel has its home there.
 */
static enum page_end page_put_by_mremap(struct lane *lane, struct parcel *parcel, unsigned int page)
{
	uintptr_t from = parcel->slot.addr + (uintptr_t)page * PAGE_BYTES;
	uintptr_t at = page_home(parcel, page);
	int prot = mapping_protection(at);
	struct vm_flags flags;
	bool carried;

	if (prot < 0)
		return prot == -ENOENT ? PAGE_GONE : PAGE_WAITS;
	flags = vm_flags_at(at);
	move_gate_leave(lane);
	carried = sys(SYS_mremap, from, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
		      at) == (long)at;
	if (carried) {
		page_adopt(at, prot, &flags);
		slot_close_gap(parcel, from);
	}
	move_gate_enter(lane);
	return carried ? PAGE_CARRIED : PAGE_WAITS;
}

/* ---- one page, all methods ---- */

static enum page_end page_try_put(struct lane *lane, struct parcel *parcel, unsigned int page,
				  uintptr_t source)
{
	enum page_end end;

	if (parcel->disturbed && map_test(&parcel->dropped, page))
		return PAGE_GONE;
	end = page_put_by_move(lane, page_home(parcel, page), source);
	if (end == PAGE_WAITS || end == PAGE_PENDING)
		end = page_put_by_copy(lane, page_home(parcel, page), source);
	if (end == PAGE_WAITS && parcel->nr_rounds >= PATIENCE_ROUNDS)
		end = page_put_by_mremap(lane, parcel, page);
	return end;
}

static enum page_end page_put(struct lane *lane, struct parcel *parcel, unsigned int page,
			      uintptr_t source)
{
	for (unsigned int tries = 0;; tries++) {
		enum page_end end = page_try_put(lane, parcel, page, source);

		if (end != PAGE_WAITS && end != PAGE_PENDING)
			return end;
		move_gate_step_outside(lane, tries);
		/*
		 * PAGE_PENDING does not count towards mremap, which must not replace a mapping
		 * before the mapping's event has been read.
		 */
		parcel->nr_rounds += end == PAGE_WAITS;
	}
}

/* Frees the slot's frame of a page whose content is elsewhere or was thrown away. */
static void slot_free_frame(struct lane *lane, struct parcel *parcel, unsigned int page)
{
	move_gate_leave(lane);
	sys(SYS_madvise, parcel->slot.addr + (uintptr_t)page * PAGE_BYTES, PAGE_BYTES,
	    MADV_DONTNEED);
	move_gate_enter(lane);
}

/* ---- stretches ---- */

static uintptr_t parcel_source(const struct parcel *parcel, unsigned int page, bool from_slot)
{
	return (from_slot ? parcel->slot.addr : parcel->frames.addr) + (uintptr_t)page * PAGE_BYTES;
}

static void parcel_put_page(struct lane *lane, struct parcel *parcel, unsigned int page,
			    bool from_slot)
{
	enum page_end end;

	parcel->came_apart = true;
	parcel->recheck = true;
	end = page_put(lane, parcel, page, parcel_source(parcel, page, from_slot));
	if (end == PAGE_CARRIED)
		map_clear_range(&parcel->taken, page, 1);
	else if (!from_slot && end == PAGE_ARRIVED)
		map_set(&parcel->arrived, page);
	else if (from_slot && (end == PAGE_COPIED || end == PAGE_GONE))
		slot_free_frame(lane, parcel, page);
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
