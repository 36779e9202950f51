// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The userfaultfd reports what the program does to its mappings. Events are read and handled with
 * `move_gate` shut, so no page is being taken out or put in meanwhile. The thread that caused an
 * event goes on only after it has been read, and the next lane in the gate finds it in its parcels.
 *
 *   page fault   The page is in a parcel: put-in will wake the thread. It is in none: the page was
 *                never there, or was discarded. It gets the zero page, as without userfaultfd.
 *   remap        Pages of parcels belong elsewhere now.
 *   remove       Pages of parcels were discarded: they must not come back.
 *   unmap        The same.
 *   fork         The child gets the content of the pages in flight (child.c).
 *
 * While the gate is shut, nothing may be touched but vault memory and the watcher's stack.
 */
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/uapi.h"
#include "lib/exchange/child.h"
#include "lib/exchange/events.h"
#include "lib/exchange/parcels.h"
#include "lib/exchange/watcher.h"

#define EVENTS_PER_READ 16

/* What an event says of a range of addresses. */
struct range_event {
	uintptr_t start, end;
	uintptr_t to;   /* remap: where start is now */
	bool in_flight; /* page fault, answered: the page is in a parcel */
};

/* May the event concern the parcel? The pages of a disturbed one may be anywhere. */
static bool event_may_touch(const struct range_event *event, const struct parcel *parcel)
{
	return parcel->disturbed ||
	       (parcel->at < event->end &&
		event->start < parcel->at + (uintptr_t)parcel->nr_pages * PAGE_BYTES);
}

static bool event_covers(const struct range_event *event, uintptr_t addr)
{
	return addr >= event->start && addr < event->end;
}

/* From here on each page of the parcel has a home of its own. */
static void parcel_disturb(struct parcel *parcel)
{
	if (parcel->disturbed)
		return;
	for (unsigned int i = 0; i < parcel->nr_pages; i++)
		parcel->home[i] = parcel->at + (uintptr_t)i * PAGE_BYTES;
	parcel->disturbed = true;
}

/* ---- what an event does to one parcel ---- */

static void parcel_find_page(struct ferry *ferry __maybe_unused, struct parcel *parcel, void *arg)
{
	struct range_event *event = arg;

	if (!event_may_touch(event, parcel))
		return;
	if (!parcel->disturbed) {
		event->in_flight = true;
		return;
	}
	for (unsigned int i = 0; i < parcel->nr_pages; i++)
		if (event_covers(event, parcel->home[i]) && !map_test(&parcel->dropped, i))
			event->in_flight = true;
}

static void parcel_remap_pages(struct ferry *ferry __maybe_unused, struct parcel *parcel, void *arg)
{
	const struct range_event *event = arg;

	if (!event_may_touch(event, parcel))
		return;
	parcel_disturb(parcel);
	for (unsigned int i = 0; i < parcel->nr_pages; i++)
		if (event_covers(event, parcel->home[i]))
			parcel->home[i] += event->to - event->start;
}

static void parcel_drop_pages(struct ferry *ferry __maybe_unused, struct parcel *parcel, void *arg)
{
	const struct range_event *event = arg;

	if (!event_may_touch(event, parcel))
		return;
	parcel_disturb(parcel);
	for (unsigned int i = 0; i < parcel->nr_pages; i++)
		if (event_covers(event, parcel->home[i]))
			map_set(&parcel->dropped, i);
}

/* ---- events ---- */

static void event_page_fault(struct ferry *ferry, uintptr_t addr)
{
	struct range_event event = {.start = ALIGN_DOWN(addr, PAGE_BYTES)};

	event.end = event.start + PAGE_BYTES;
	parcels_for_each_live(ferry, parcel_find_page, &event);
	/* If the zero page fails, wake the thread: it tries again, and faults again if it must. */
	if (!event.in_flight && uffd_zero_page(ferry->uffd, event.start))
		uffd_wake(ferry->uffd, event.start, PAGE_BYTES);
}

static void event_remap(struct ferry *ferry, uintptr_t from, uintptr_t to, size_t len_bytes)
{
	struct range_event event = {.start = from, .end = from + len_bytes, .to = to};

	parcels_for_each_live(ferry, parcel_remap_pages, &event);
	/* Put-in will wake those who wait at `to`. */
	uffd_wake(ferry->uffd, from, len_bytes);
	range_list_add(&ferry->watcher->moved, to, to + len_bytes);
	changes_note(&ferry->watcher->changes, from, from + len_bytes);
}

static void event_drop(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	struct range_event event = {.start = start, .end = end};

	parcels_for_each_live(ferry, parcel_drop_pages, &event);
}

static void event_unmap(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	changes_note(&ferry->watcher->changes, start, end);
	event_drop(ferry, start, end);
}

static void event_discard(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	if (!pools_contain(&ferry->pools, start))
		discards_note(&ferry->watcher->discards, start, end);
	event_drop(ferry, start, end);
}

static void event_handle(struct ferry *ferry, const struct uffd_msg *msg)
{
	switch (msg->event) {
	case UFFD_EVENT_PAGEFAULT:
		event_page_fault(ferry, msg->arg.pagefault.address);
		break;
	case UFFD_EVENT_REMAP:
		event_remap(ferry, msg->arg.remap.from, msg->arg.remap.to, msg->arg.remap.len);
		break;
	case UFFD_EVENT_REMOVE:
		event_discard(ferry, msg->arg.remove.start, msg->arg.remove.end);
		break;
	case UFFD_EVENT_UNMAP:
		event_unmap(ferry, msg->arg.remove.start, msg->arg.remove.end);
		break;
	case UFFD_EVENT_FORK:
		child_serve(ferry, (int)msg->arg.fork.ufd);
		break;
	}
}

/*
 * The kernel hands out page faults before other events, though they may be younger. So page faults
 * come last: one of them may be at the place to which mremap(2) has carried a page in flight, and
 * must not get the zero page there.
 */
static void events_handle(struct ferry *ferry, const struct uffd_msg *msgs, long nr)
{
	for (long i = 0; i < nr; i++)
		if (msgs[i].event != UFFD_EVENT_PAGEFAULT)
			event_handle(ferry, &msgs[i]);
	for (long i = 0; i < nr; i++)
		if (msgs[i].event == UFFD_EVENT_PAGEFAULT)
			event_handle(ferry, &msgs[i]);
}

static bool lacks_descriptor(long len)
{
	return len == -EMFILE || len == -ENFILE;
}

/*
 * A fork event comes with a descriptor. If none is free, the kernel keeps the event and the program
 * waits in fork. So the watcher has a spare one that it gives up then.
 */
static long events_read_some(struct ferry *ferry, struct uffd_msg *msgs, size_t len_bytes)
{
	struct watcher *watcher = ferry->watcher;
	long len = sys(SYS_read, ferry->uffd, msgs, len_bytes);

	if (!lacks_descriptor(len) || watcher->spare_fd < 0)
		return len;
	watcher_drop_spare(watcher);
	return sys(SYS_read, ferry->uffd, msgs, len_bytes);
}

void events_read(struct ferry *ferry)
{
	struct timespec ms = {.tv_nsec = NS_PER_MS};
	struct uffd_msg msgs[EVENTS_PER_READ];
	long len;

	gate_shut(&ferry->move_gate);
	do {
		len = events_read_some(ferry, msgs, sizeof(msgs));
		events_handle(ferry, msgs, len / (long)sizeof(msgs[0]));
	} while (len == (long)sizeof(msgs));
	gate_open(&ferry->move_gate);
	watcher_take_spare(ferry->watcher);
	/* Another thread was faster and has the spare's number. It may close it soon. */
	if (lacks_descriptor(len))
		sys(SYS_nanosleep, &ms, NULL);
}
