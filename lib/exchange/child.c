// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A child of a bare clone(2) has holes where pages are in flight. The fork event brings a
 * userfaultfd for the child. Until that is closed, the child's threads wait where they touch a
 * hole; afterwards they would get the zero page. So first each such page gets its content. A page
 * whose content can't be read or copied is poisoned: to touch it is SIGBUS for the child, never a
 * wrong byte.
 *
 * The child runs meanwhile. The same userfaultfd reports what the child does to its mappings; the
 * child's system call waits until that event has been read, and COPY answers EAGAIN until then.
 *
 * The watcher does this with `move_gate` shut: no page moves, and nothing may be touched but vault
 * memory and the watcher's own stack.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/uapi.h"
#include "lib/exchange/child.h"
#include "lib/exchange/parcels.h"
#include "lib/nodes/pagemap.h"

#define EVENTS_PER_READ 8
#define MAX_CHANGES     64
#define MAX_DEPTH       8 /* generations that are born while their ancestor is served */

/*
 * COPY can answer EAGAIN without an event to read: the child is inside a system call that will send
 * one, and may have lost its CPU there. After EAGER_TRIES the watcher naps for a millisecond
 * between tries; each child has MAX_NAPS of them for copies, and as many again for poison.
 * Increasing MAX_NAPS or MAX_TRIES poisons fewer pages of a child that is starved of CPU;
 * decreasing them keeps the parent's exchanges waiting for less time.
 */
#define EAGER_TRIES 100U
#define MAX_NAPS    2000U
#define MAX_TRIES   1000000U
/* After this many errors other than EAGAIN a page is given up, then poisoned. */
#define MAX_ERRORS 20U

struct child_change {
	uintptr_t start, end;
	uintptr_t to; /* where start is now; 0: discarded */
};

struct child {
	struct ferry *ferry;
	int fd;
	unsigned int depth;
	bool gone;
	bool lost_track; /* it has made more changes than fit: its pages are poisoned */
	unsigned int nr_naps;
	unsigned int nr_changes;
	struct child_change changes[MAX_CHANGES];
};

static void child_give_pages(struct child *child);

/* ---- what the child does meanwhile ---- */

static void child_note_change(struct child *child, uintptr_t start, uintptr_t end, uintptr_t to)
{
	if (child->nr_changes == MAX_CHANGES)
		child->lost_track = true;
	else
		child->changes[child->nr_changes++] = (struct child_change){start, end, to};
}

/*
 * Translates *at, an address in the parent, to the child's address for the same page. False: the
 * child has thrown the page away.
 */
static bool child_translate(const struct child *child, uintptr_t *at)
{
	for (unsigned int i = 0; i < child->nr_changes; i++) {
		const struct child_change *change = &child->changes[i];

		if (*at < change->start || *at >= change->end)
			continue;
		if (!change->to)
			return false;
		*at += change->to - change->start;
	}
	return true;
}

/* A grandchild has the holes and the changes that its parent had when it was born. */
static void child_serve_grandchild(const struct child *child, int fd)
{
	struct child young = *child;

	young.fd = fd;
	young.gone = false;
	young.depth++;
	young.lost_track |= young.depth > MAX_DEPTH;
	child_give_pages(&young);
}

/*
 * True if there were any events. Unmapping needs no note, because a copy to unmapped memory fails.
 * Page faults need none, because the copy answers them.
 */
static bool child_read_events(struct child *child)
{
	struct uffd_msg msgs[EVENTS_PER_READ];
	long len = sys(SYS_read, child->fd, msgs, sizeof(msgs));

	for (long i = 0; i * (long)sizeof(msgs[0]) < len; i++) {
		const struct uffd_msg *msg = &msgs[i];

		if (msg->event == UFFD_EVENT_REMOVE)
			child_note_change(child, msg->arg.remove.start, msg->arg.remove.end, 0);
		else if (msg->event == UFFD_EVENT_REMAP)
			child_note_change(child, msg->arg.remap.from,
					  msg->arg.remap.from + msg->arg.remap.len,
					  msg->arg.remap.to);
		else if (msg->event == UFFD_EVENT_FORK)
			child_serve_grandchild(child, (int)msg->arg.fork.ufd);
	}
	return len > 0;
}

/* ---- the child's pages ---- */

/* Lets the child run for a moment. False: it has used up its naps. */
static bool child_await(struct child *child, unsigned int tries, unsigned int max_naps)
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

/*
 * Copies a page to the child, or poisons it if there is no source or the page's address in the
 * child is not known. 0, also if the child does not need the page, or -errno.
 */
static int child_try_page(struct child *child, uintptr_t page, uintptr_t source)
{
	uintptr_t at = page;
	int err;

	if (!child_translate(child, &at))
		return 0;
	err = source && !child->lost_track ? uffd_copy_page(child->fd, at, source)
					   : uffd_poison_page(child->fd, at);
	/*
	 * The child may have the page, or no mapping there any more; or mremap(2) has carried that
	 * elsewhere, and its event is unread.
	 */
	if (err == -ENOENT && uffd_has_unread_event(child->fd))
		return -EAGAIN;
	if (!err || err == -EEXIST || err == -ENOENT)
		return 0;
	child->gone = err == -ESRCH;
	return child->gone ? 0 : err;
}

/* 0, or the error after which the page has neither content nor poison. */
static int child_retry_page(struct child *child, uintptr_t page, uintptr_t source,
			    unsigned int max_naps)
{
	unsigned int nr_errors = 0;

	for (unsigned int tries = 0; tries < MAX_TRIES; tries++) {
		int err = child_try_page(child, page, source);

		if (!err)
			return 0;
		if (err == -EAGAIN && child_read_events(child))
			continue;
		if (err != -EAGAIN && ++nr_errors == MAX_ERRORS)
			return err;
		if (!child_await(child, tries, max_naps))
			return err;
	}
	return -EAGAIN;
}

/* source 0: the content is not known. */
static void child_give_page(struct child *child, uintptr_t page, uintptr_t source)
{
	if (child_retry_page(child, page, source, MAX_NAPS) && source)
		child_retry_page(child, page, 0, 2 * MAX_NAPS);
}

/*
 * Which pages the slot does not hold. The slot is registered too, so a copy from one of its holes
 * would wait forever for the watcher, which is the thread that copies. False: the kernel does not
 * tell.
 */
static bool parcel_slot_holes(const struct parcel *parcel, struct page_map *absent)
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

/*
 * The child's page tables can't be read from here, so the child is offered every page of the
 * parcel.
 */
static void child_give_parcel(struct ferry *ferry __maybe_unused, struct parcel *parcel, void *arg)
{
	struct child *child = arg;
	struct page_map absent;
	bool known = parcel_slot_holes(parcel, &absent);

	for (unsigned int i = 0; i < parcel->nr_pages && !child->gone; i++) {
		uintptr_t offset = (uintptr_t)i * PAGE_BYTES;
		uintptr_t at = parcel->disturbed ? parcel->home[i] : parcel->at + offset;

		if (map_test(&absent, i) || (parcel->disturbed && map_test(&parcel->dropped, i)))
			continue;
		child_give_page(child, at, known ? parcel->slot.addr + offset : 0);
	}
}

static void child_give_pages(struct child *child)
{
	parcels_for_each_live(child->ferry, child_give_parcel, child);
	sys(SYS_close, child->fd);
}

void child_serve(struct ferry *ferry, int fd)
{
	struct child child = {.ferry = ferry, .fd = fd};

	child_give_pages(&child);
}
