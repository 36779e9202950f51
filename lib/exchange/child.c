// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A child of a bare clone(2) has holes where pages are out. The parent's userfaultfd hands over one
 * for the child, and until it is closed the child's threads wait where they touch a hole; then they
 * would get the zero page. So before that each page gets its content, or, if that can't be had, is
 * poisoned: to touch it is SIGBUS then, never a wrong byte.
 *
 * The child runs meanwhile. What it does to its mappings is reported to the same userfaultfd, its
 * system call waits until that has been read, and COPY answers EAGAIN until then.
 *
 * The watcher does this with the `move_gate` shut: no page moves, nothing may be touched but vault
 * memory and its own stack.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/sys.h"
#include "lib/exchange/child.h"
#include "lib/exchange/parcels.h"
#include "lib/nodes/pagemap.h"
#include "base/uapi.h"

#define EVENTS_PER_READ 8
#define MAX_CHANGES     64
#define MAX_DEPTH       8 /* children of children that are born while their parent is served */

/*
 * EAGAIN without an event to read: the child is amid a system call that will send one, and may have
 * lost its CPU there. So much patience with a child, in naps of a millisecond, for copies and again
 * for poison.
 */
#define EAGER_TRIES 100U
#define MAX_NAPS    2000U
#define MAX_TRIES   1000000U
/* A page is poisoned after so many other errors. */
#define MAX_ERRORS 20U

struct change {
	uintptr_t start, end;
	uintptr_t to; /* 0: discarded */
};

struct child {
	struct ferry *ferry;
	int fd;
	unsigned int depth;
	bool gone;
	bool lost_track; /* it has changed more than is remembered */
	unsigned int nr_naps;
	unsigned int nr_changes;
	struct change changes[MAX_CHANGES];
};

static void serve(struct child *child);

/* ---- what the child does meanwhile ---- */

static void note_change(struct child *child, uintptr_t start, uintptr_t end, uintptr_t to)
{
	if (child->nr_changes == MAX_CHANGES)
		child->lost_track = true;
	else
		child->changes[child->nr_changes++] = (struct change){start, end, to};
}

/* Where the child has what the parent has at *at. False: it has thrown it away. */
static bool follow(const struct child *child, uintptr_t *at)
{
	for (unsigned int i = 0; i < child->nr_changes; i++) {
		const struct change *change = &child->changes[i];

		if (*at < change->start || *at >= change->end)
			continue;
		if (!change->to)
			return false;
		*at += change->to - change->start;
	}
	return true;
}

/* It has the holes, and the changes, that its parent had by then. */
static void serve_grandchild(const struct child *child, int fd)
{
	struct child young = *child;

	young.fd = fd;
	young.gone = false;
	young.depth++;
	young.lost_track |= young.depth > MAX_DEPTH;
	serve(&young);
}

/*
 * True if there were any. Unmapped pages need no note: to copy there fails. Page faults are
 * answered by copying.
 */
static bool read_changes(struct child *child)
{
	struct uffd_msg msgs[EVENTS_PER_READ];
	long len = sys(SYS_read, child->fd, msgs, sizeof(msgs));

	for (long i = 0; i * (long)sizeof(msgs[0]) < len; i++) {
		const struct uffd_msg *msg = &msgs[i];

		if (msg->event == UFFD_EVENT_REMOVE)
			note_change(child, msg->arg.remove.start, msg->arg.remove.end, 0);
		else if (msg->event == UFFD_EVENT_REMAP)
			note_change(child, msg->arg.remap.from,
				    msg->arg.remap.from + msg->arg.remap.len, msg->arg.remap.to);
		else if (msg->event == UFFD_EVENT_FORK)
			serve_grandchild(child, (int)msg->arg.fork.ufd);
	}
	return len > 0;
}

/* ---- its pages ---- */

/* False: it has been waited for long enough. */
static bool nap(struct child *child, unsigned int tries, unsigned int max_naps)
{
	struct timespec ms = {.tv_nsec = NS_PER_MS};

	if (tries < EAGER_TRIES) {
		sys(SYS_sched_yield);
		return true;
	}
	if (child->nr_naps >= max_naps)
		return false;
	child->nr_naps++;
	sys(SYS_nanosleep, &ms, NULL);
	return true;
}

/* 0, or the error of a page that has neither. */
static int try_page(struct child *child, uintptr_t page, uintptr_t source, unsigned int max_naps)
{
	unsigned int nr_errors = 0;

	for (unsigned int tries = 0; tries < MAX_TRIES; tries++) {
		uintptr_t at = page;
		int err;

		if (!follow(child, &at))
			return 0;
		err = source && !child->lost_track ? uffd_copy_page(child->fd, at, source)
						   : uffd_poison_page(child->fd, at);
		/* It may have the page, or no mapping there any more. */
		if (!err || err == -EEXIST || err == -ENOENT)
			return 0;
		child->gone = err == -ESRCH;
		if (child->gone)
			return 0;
		if (err == -EAGAIN && read_changes(child))
			continue;
		if (err != -EAGAIN && ++nr_errors == MAX_ERRORS)
			return err;
		if (!nap(child, tries, max_naps))
			return err;
	}
	return -EAGAIN;
}

/* source 0: the content can't be had. */
static void give_page(struct child *child, uintptr_t page, uintptr_t source)
{
	if (try_page(child, page, source, MAX_NAPS) && source)
		try_page(child, page, 0, 2 * MAX_NAPS);
}

/*
 * What the slot holds. To copy from a hole of it would wait for ever, for ourselves. False: it
 * can't be told.
 */
static bool look_into_slot(const struct parcel *parcel, struct page_map *absent)
{
	uint64_t entries[PAGES_PER_HUGE];
	struct page_kinds kinds;

	if (!pagemap_kinds(parcel->slot.addr, parcel->nr_pages, &kinds)) {
		*absent = kinds.absent;
		return true;
	}
	memset(absent, 0, sizeof(*absent));
	if (pagemap_entries(parcel->slot.addr, parcel->nr_pages, entries))
		return false;
	for (unsigned int i = 0; i < parcel->nr_pages; i++)
		if (!(entries[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)))
			map_set(absent, i);
	return true;
}

static void give_parcel(struct ferry *ferry __maybe_unused, struct parcel *parcel, void *arg)
{
	struct child *child = arg;
	struct page_map absent;
	bool known = look_into_slot(parcel, &absent);

	/* Its page tables can't be read from here: every page is offered. */
	for (unsigned int i = 0; i < parcel->nr_pages && !child->gone; i++) {
		uintptr_t offset = (uintptr_t)i * PAGE_BYTES;
		uintptr_t at = parcel->disturbed ? parcel->home[i] : parcel->at + offset;

		if (map_test(&absent, i) || (parcel->disturbed && map_test(&parcel->dropped, i)))
			continue;
		give_page(child, at, known ? parcel->slot.addr + offset : 0);
	}
}

static void serve(struct child *child)
{
	parcels_for_each_live(child->ferry, give_parcel, child);
	sys(SYS_close, child->fd);
}

void child_serve(struct ferry *ferry, int fd)
{
	struct child child = {.ferry = ferry, .fd = fd};

	serve(&child);
}
