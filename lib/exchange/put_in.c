// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Put-in has to succeed for every page that is out, so it has several ways to do it:
 *
 *   UFFDIO_MOVE of a whole stretch       the usual case
 *   UFFDIO_MOVE page by page             the mapping was split, moved or partly unmapped
 *   UFFDIO_COPY of a page                it is read-only or locked now: MOVE refuses that
 *   mremap(2) of the slot's page         nothing else works (memory has run out)
 *
 * and tries again from the first for as long as it takes. Only content that the program has thrown
 * away itself (munmap, MADV_DONTNEED) is dropped.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/wait.h"
#include "lib/core/context.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/pagemap.h"
#include "lib/exchange/put_in.h"
#include "base/uapi.h"
#include "lib/uffd/uffd.h"

/* Rounds through the milder ways, for all pages of a parcel, before mremap is tried. */
#define PATIENCE_ROUNDS 500

enum page_end {
	PAGE_PENDING, /* an event waits to be read: what is mapped there can't be told until then */
	PAGE_WAITS,   /* not yet: try again */
	PAGE_ARRIVED, /* the frame itself is at its address */
	PAGE_COPIED,  /* the content is at its address in some other frame */
	PAGE_CARRIED, /* the slot's own frame was carried there with its mapping */
	PAGE_GONE,    /* the program has thrown the content away */
};

static void outside_gate(struct lane *lane, unsigned int tries)
{
	gate_leave(&lane->ferry->moves, lane->door);
	step_aside(tries);
	gate_enter(&lane->ferry->moves, lane->door);
}

static uintptr_t place_of(const struct parcel *parcel, unsigned int page)
{
	return parcel->disturbed ? parcel->home[page] : parcel->at + (uintptr_t)page * PAGE_BYTES;
}

/* MOVE may have moved pages of a large folio and answer with an error all the same. */
static bool has_left(uintptr_t source)
{
	struct page_kinds kinds;

	return !pagemap_kinds(source, 1, &kinds) && map_test(&kinds.absent, 0);
}

static enum page_end by_move(struct lane *lane, uintptr_t at, uintptr_t source)
{
	size_t moved;
	int err = uffd_move(lane->ferry->uffd, at, source, PAGE_BYTES, false, &moved);

	if (!err || has_left(source))
		return PAGE_ARRIVED;
	if (err == -EAGAIN)
		return PAGE_PENDING;
	/* Something newer has been mapped over it, or there is no mapping any more. */
	return err == -EEXIST || err == -ENOENT ? PAGE_GONE : PAGE_WAITS;
}

static enum page_end by_copy(struct lane *lane, uintptr_t at, uintptr_t source)
{
	switch (uffd_copy_page(lane->ferry->uffd, at, source)) {
	case 0:
		return PAGE_COPIED;
	case -EEXIST:
	case -ENOENT: /* no mapping, or one that is not ours: the old one was unmapped */
		return PAGE_GONE;
	case -EAGAIN:
		return PAGE_PENDING;
	default:
		return PAGE_WAITS;
	}
}

/*
 * Carries the slot's page to its address, mapping and all, and makes the mapping what its
 * neighbours are. mremap waits until the watcher has read its event, so not inside the gate; the
 * parcel stays live meanwhile and `from` is no page of any parcel.
 */
static enum page_end by_mremap(struct lane *lane, struct parcel *parcel, unsigned int page)
{
	uintptr_t from = parcel->slot.addr + (uintptr_t)page * PAGE_BYTES;
	uintptr_t at = place_of(parcel, page);
	int prot = mapping_protection(at);
	long ret;

	if (prot < 0)
		return prot == -ENOENT ? PAGE_GONE : PAGE_WAITS;
	gate_leave(&lane->ferry->moves, lane->door);
	ret = sys(SYS_mremap, from, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, at);
	if (ret == (long)at) {
		sys(SYS_madvise, at, PAGE_BYTES, MADV_DOFORK);
		sys(SYS_madvise, at, PAGE_BYTES, MADV_DODUMP);
		sys(SYS_mbind, at, PAGE_BYTES, 0, NULL, 0, 0);
		if (prot != (PROT_READ | PROT_WRITE))
			sys(SYS_mprotect, at, PAGE_BYTES, prot);
		/* The hole in the pool's address space is closed again, but not used again. */
		sys(SYS_mmap, from, PAGE_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
		sys(SYS_madvise, from, PAGE_BYTES, MADV_DONTFORK);
		pool_distrust(parcel->source, &parcel->slot);
	}
	gate_enter(&lane->ferry->moves, lane->door);
	return ret == (long)at ? PAGE_CARRIED : PAGE_WAITS;
}

static enum page_end put_page_once(struct lane *lane, struct parcel *parcel, unsigned int page,
				   uintptr_t source)
{
	enum page_end end;

	if (parcel->disturbed && map_test(&parcel->dropped, page))
		return PAGE_GONE;
	end = by_move(lane, place_of(parcel, page), source);
	if (end == PAGE_WAITS || end == PAGE_PENDING)
		end = by_copy(lane, place_of(parcel, page), source);
	if (end == PAGE_WAITS && parcel->nr_rounds >= PATIENCE_ROUNDS)
		end = by_mremap(lane, parcel, page);
	return end;
}

/* What is left of a page that went back some other way, or is not wanted any more. */
static void clear_slot_page(struct lane *lane, struct parcel *parcel, unsigned int page)
{
	gate_leave(&lane->ferry->moves, lane->door);
	sys(SYS_madvise, parcel->slot.addr + (uintptr_t)page * PAGE_BYTES, PAGE_BYTES,
	    MADV_DONTNEED);
	gate_enter(&lane->ferry->moves, lane->door);
}

static void put_page(struct lane *lane, struct parcel *parcel, unsigned int page, bool from_slot)
{
	uintptr_t source = (from_slot ? parcel->slot.addr : parcel->frames.addr) +
			   (uintptr_t)page * PAGE_BYTES;
	enum page_end end;

	parcel->came_apart = true;
	parcel->recheck = true;
	for (unsigned int tries = 0;; tries++) {
		end = put_page_once(lane, parcel, page, source);
		if (end != PAGE_WAITS && end != PAGE_PENDING)
			break;
		outside_gate(lane, tries);
		/* mremap must not go over a mapping that is not known yet. */
		parcel->nr_rounds += end == PAGE_WAITS;
	}
	if (end == PAGE_CARRIED)
		map_clear_range(&parcel->taken, page, 1);
	else if (!from_slot && end == PAGE_ARRIVED)
		map_set(&parcel->arrived, page);
	else if (from_slot && (end == PAGE_COPIED || end == PAGE_GONE))
		clear_slot_page(lane, parcel, page);
}

/* The usual way: one call for a stretch, as long as nothing has changed. */
static void put_stretch(struct lane *lane, struct parcel *parcel, unsigned int first,
			unsigned int end, bool from_slot)
{
	uintptr_t source = from_slot ? parcel->slot.addr : parcel->frames.addr;
	unsigned int tries = 0;

	while (first < end && !parcel->disturbed) {
		size_t len = (size_t)(end - first) * PAGE_BYTES, moved;
		uintptr_t offset = (uintptr_t)first * PAGE_BYTES;
		int err = uffd_move(lane->ferry->uffd, parcel->at + offset, source + offset, len,
				    false, &moved);

		if (!from_slot)
			map_set_range(&parcel->arrived, first, (unsigned int)(moved / PAGE_BYTES));
		first += (unsigned int)(moved / PAGE_BYTES);
		if (err && err != -EAGAIN)
			break;
		if (err && !moved)
			outside_gate(lane, tries++);
	}
	for (; first < end; first++)
		put_page(lane, parcel, first, from_slot);
}

static void put_map(struct lane *lane, struct parcel *parcel, const struct page_map *map,
		    bool from_slot)
{
	for (unsigned int at = 0; at < parcel->nr_pages;) {
		unsigned int start = map_next(map, at, parcel->nr_pages, true);
		unsigned int end = map_next(map, start, parcel->nr_pages, false);

		if (start < end)
			put_stretch(lane, parcel, start, end, from_slot);
		at = end;
	}
}

void put_in(struct lane *lane, struct parcel *parcel)
{
	struct page_map taken = parcel->taken, back = parcel->back;

	parcel->nr_rounds = 0;
	put_map(lane, parcel, &taken, false);
	put_map(lane, parcel, &back, true);
	memset(&parcel->back, 0, sizeof(parcel->back));
}
