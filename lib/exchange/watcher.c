// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The watcher reads the userfaultfd's events. It reads and handles them with the `moves` gate shut,
 * so that no page is being taken out or put in meanwhile: an event that has been read is known to
 * the parcels before the thread that caused it goes on.
 *
 *   page fault   in a parcel: put-in will wake the thread. Elsewhere: a page that was never there
 *                or has been discarded; it gets the zero page, as without userfaultfd.
 *   remap        pages of parcels belong somewhere else now
 *   remove       pages of parcels were discarded: they must not come back
 *   unmap        the same
 *   fork         the child gets the content of pages that are out (child.c)
 *
 * While the gate is shut nothing may be touched but vault memory.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/thread.h"
#include "base/vault.h"
#include "lib/exchange/child.h"
#include "lib/exchange/exchange.h"
#include "lib/exchange/parcels.h"
#include "lib/exchange/watcher.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/pagemap.h"
#include "base/uapi.h"

#define EVENTS_PER_READ 16

/* Pools are looked at this often while they hold frames that nobody uses. */
#define IDLE_CHECK_NS (1 * NS_PER_SEC)
#define IDLE_TRIM_NS  (5 * NS_PER_SEC)

struct watcher {
	struct thread thread;
	atomic_bool stop;
	atomic_bool ticking; /* it looks after idle frames every now and then */
	int wake_fd;
	atomic_uint
		nr_moved_ranges; /* registered ranges that mremap(2) carried elsewhere, or added */
	struct {
		uintptr_t start;
		size_t len_bytes;
	} moved_ranges[64];
	/* (gate) a ring: what the program has discarded lately */
	struct discard {
		uintptr_t start, end;
		uint64_t at_ns;
	} discards[64];
	unsigned int next_discard;
};

static void disturb(struct parcel *parcel)
{
	if (parcel->disturbed)
		return;
	for (unsigned int i = 0; i < parcel->nr_pages; i++)
		parcel->home[i] = parcel->at + (uintptr_t)i * PAGE_BYTES;
	parcel->disturbed = true;
}

struct span_event {
	uintptr_t start, end, to;
	bool hit;
};

static bool touches(const struct parcel *parcel, const struct span_event *event)
{
	return parcel->disturbed ||
	       (parcel->at < event->end &&
		event->start < parcel->at + (uintptr_t)parcel->nr_pages * PAGE_BYTES);
}

static bool within(uintptr_t addr, const struct span_event *event)
{
	return addr >= event->start && addr < event->end;
}

/* ---- discards under way ---- */

/*
 * madvise(2) discards only after its event has been read, and may be preempted before. What is
 * taken out in between would come back, so nothing is taken out there for a while.
 */
#define DISCARD_NS (100 * NS_PER_MS)

static void note_discard(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	struct watcher *watcher = ferry->watcher;
	unsigned int next = watcher->next_discard;

	if (pools_contain(&ferry->pools, start))
		return;
	watcher->discards[next] = (struct discard){start, end, now_ns()};
	watcher->next_discard = (next + 1) % ARRAY_SIZE(watcher->discards);
}

bool watcher_sees_discard(const struct ferry *ferry, uintptr_t start, size_t len_bytes)
{
	const struct watcher *watcher = ferry->watcher;
	uint64_t since = now_ns() - DISCARD_NS;

	/* The oldest entry is overwritten next: if it still counts, others may have been lost. */
	if (watcher->discards[watcher->next_discard].at_ns > since)
		return true;
	for (unsigned int i = 0; i < ARRAY_SIZE(watcher->discards); i++) {
		const struct discard *discard = &watcher->discards[i];

		if (discard->at_ns > since && start < discard->end &&
		    discard->start < start + len_bytes)
			return true;
	}
	return false;
}

/* ---- the events ---- */

static void find_page(struct ferry *ferry __maybe_unused, struct parcel *parcel, void *arg)
{
	struct span_event *event = arg;

	if (!touches(parcel, event))
		return;
	if (!parcel->disturbed) {
		event->hit = true;
		return;
	}
	for (unsigned int i = 0; i < parcel->nr_pages; i++)
		if (within(parcel->home[i], event) && !map_test(&parcel->dropped, i))
			event->hit = true;
}

static void handle_fault(struct ferry *ferry, uintptr_t addr)
{
	struct span_event event = {.start = ALIGN_DOWN(addr, PAGE_BYTES)};

	event.end = event.start + PAGE_BYTES;
	parcels_for_each_live(ferry, find_page, &event);
	/* An answer that fails wakes too: the thread tries again, and asks again if it must. */
	if (!event.hit && uffd_zero_page(ferry->uffd, event.start))
		uffd_wake(ferry->uffd, event.start, PAGE_BYTES);
}

static void move_pages_along(struct ferry *ferry __maybe_unused, struct parcel *parcel, void *arg)
{
	const struct span_event *event = arg;

	if (!touches(parcel, event))
		return;
	disturb(parcel);
	for (unsigned int i = 0; i < parcel->nr_pages; i++)
		if (within(parcel->home[i], event))
			parcel->home[i] += event->to - event->start;
}

static void watcher_note_moved(struct watcher *watcher, uintptr_t start, size_t len_bytes)
{
	unsigned int nr = atomic_load(&watcher->nr_moved_ranges);

	if (nr == ARRAY_SIZE(watcher->moved_ranges))
		return;
	watcher->moved_ranges[nr].start = start;
	watcher->moved_ranges[nr].len_bytes = len_bytes;
	atomic_store(&watcher->nr_moved_ranges, nr + 1);
}

static void handle_remap(struct ferry *ferry, uintptr_t from, uintptr_t to, size_t len_bytes)
{
	struct span_event event = {.start = from, .end = from + len_bytes, .to = to};

	parcels_for_each_live(ferry, move_pages_along, &event);
	watcher_note_moved(ferry->watcher, to, len_bytes);
}

static void drop_pages(struct ferry *ferry __maybe_unused, struct parcel *parcel, void *arg)
{
	const struct span_event *event = arg;

	if (!touches(parcel, event))
		return;
	disturb(parcel);
	for (unsigned int i = 0; i < parcel->nr_pages; i++)
		if (within(parcel->home[i], event))
			map_set(&parcel->dropped, i);
}

static void handle(struct ferry *ferry, const struct uffd_msg *msg)
{
	struct span_event event;

	switch (msg->event) {
	case UFFD_EVENT_PAGEFAULT:
		handle_fault(ferry, msg->arg.pagefault.address);
		break;
	case UFFD_EVENT_REMAP:
		handle_remap(ferry, msg->arg.remap.from, msg->arg.remap.to, msg->arg.remap.len);
		break;
	case UFFD_EVENT_REMOVE:
		note_discard(ferry, msg->arg.remove.start, msg->arg.remove.end);
		/* fall through */
	case UFFD_EVENT_UNMAP:
		event = (struct span_event){.start = msg->arg.remove.start,
					    .end = msg->arg.remove.end};
		parcels_for_each_live(ferry, drop_pages, &event);
		break;
	case UFFD_EVENT_FORK:
		child_serve(ferry, (int)msg->arg.fork.ufd);
		break;
	}
}

static void read_events(struct ferry *ferry)
{
	struct uffd_msg msgs[EVENTS_PER_READ];
	long len;

	gate_shut(&ferry->moves);
	do {
		len = sys(SYS_read, ferry->uffd, msgs, sizeof(msgs));
		for (long i = 0; i * (long)sizeof(msgs[0]) < len; i++)
			handle(ferry, &msgs[i]);
	} while (len == (long)sizeof(msgs));
	gate_open(&ferry->moves);
}

/* ---- idle frames ---- */

/* Returns how long to sleep. */
static uint64_t look_after_pools(struct ferry *ferry)
{
	uint64_t held;

	if (atomic_load(&ferry->nr_active_jobs))
		return IDLE_CHECK_NS;
	held = pools_held_bytes(&ferry->pools);
	if (held > ferry->prefill_bytes &&
	    now_ns() - atomic_load(&ferry->idle_since_ns) > IDLE_TRIM_NS)
		pools_trim(&ferry->pools, ferry->prefill_bytes);
	else if (held)
		pools_trim_low(&ferry->pools);
	return pools_held_bytes(&ferry->pools) > ferry->prefill_bytes ? IDLE_CHECK_NS
								      : FUTEX_FOREVER;
}

/* ---- the thread ---- */

static void *watch(void *arg)
{
	struct ferry *ferry = arg;
	struct watcher *watcher = ferry->watcher;
	uint64_t sleep_ns = FUTEX_FOREVER;
	uint64_t count;

	sys(SYS_prctl, PR_SET_NAME, "ferry/watch");
	/* Or workers that run ahead of others would wait for one that does not. */
	if (ferry->boost)
		thread_boost();
	while (!atomic_load(&watcher->stop)) {
		struct pollfd fds[] = {
			{.fd = ferry->uffd, .events = POLLIN},
			{.fd = watcher->wake_fd, .events = POLLIN},
		};
		struct timespec ts = {.tv_sec = (time_t)(sleep_ns / NS_PER_SEC),
				      .tv_nsec = (long)(sleep_ns % NS_PER_SEC)};
		long ready = sys(SYS_ppoll, fds, ARRAY_SIZE(fds),
				 sleep_ns == FUTEX_FOREVER ? NULL : &ts, NULL, 0);

		if (ready > 0 && fds[0].revents)
			read_events(ferry);
		if (ready > 0 && fds[1].revents)
			sys(SYS_read, watcher->wake_fd, &count, sizeof(count));
		if (ready == 0 || fds[1].revents)
			sleep_ns = look_after_pools(ferry);
		atomic_store(&watcher->ticking, sleep_ns != FUTEX_FOREVER);
	}
	return NULL;
}

static void watcher_wake(struct ferry *ferry)
{
	uint64_t one = 1;

	if (ferry->watcher)
		sys(SYS_write, ferry->watcher->wake_fd, &one, sizeof(one));
}

void watcher_note_frames(struct ferry *ferry)
{
	if (ferry->watcher && !atomic_load(&ferry->watcher->ticking))
		watcher_wake(ferry);
}

/*
 * A mapping that was made longer is registered as far as it goes. That it is ours is asked by
 * offering the zero page to a page that is there: a mapping has one userfaultfd.
 */
static size_t grown_bytes(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	struct mapping mapping;
	struct page_kinds kinds;
	uintptr_t from;
	unsigned int nr;

	if (mapping_find(end - PAGE_BYTES, &mapping) || mapping.start >= end || mapping.end <= end)
		return 0;
	from = MAX(MAX(start, mapping.start), end - MIN(end, HUGE_BYTES));
	nr = (unsigned int)((end - from) / PAGE_BYTES);
	if (pagemap_kinds(from, nr, &kinds))
		return 0;
	while (nr && !map_test(&kinds.movable, nr - 1))
		nr--;
	if (!nr || uffd_zero_page(ferry->uffd, from + (nr - 1) * PAGE_BYTES) != -EEXIST)
		return 0;
	return mapping.end - end;
}

void watcher_note_grown(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	size_t len_bytes = grown_bytes(ferry, start, end);

	if (!len_bytes)
		return;
	gate_shut(&ferry->moves);
	watcher_note_moved(ferry->watcher, end, len_bytes);
	gate_open(&ferry->moves);
}

void watcher_unregister_moved(struct ferry *ferry)
{
	struct watcher *watcher = ferry->watcher;

	if (!atomic_load(&watcher->nr_moved_ranges))
		return;
	gate_shut(&ferry->moves);
	for (unsigned int i = 0; i < atomic_load(&watcher->nr_moved_ranges); i++) {
		uintptr_t start = watcher->moved_ranges[i].start;
		size_t len_bytes = watcher->moved_ranges[i].len_bytes;

		len_bytes += grown_bytes(ferry, start, start + len_bytes);
		uffd_unregister(ferry->uffd, start, len_bytes);
	}
	atomic_store(&watcher->nr_moved_ranges, 0);
	gate_open(&ferry->moves);
}

int watcher_start(struct ferry *ferry)
{
	struct watcher *watcher;
	int err = vault_alloc(sizeof(*watcher), (void **)&watcher);

	if (err)
		return err;
	ferry->watcher = watcher;
	watcher->wake_fd = (int)sys(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = watcher->wake_fd < 0 ? watcher->wake_fd
				   : thread_start(&watcher->thread, watch, ferry);
	if (err)
		watcher_forget(ferry);
	return err;
}

void watcher_stop(struct ferry *ferry)
{
	if (!ferry->watcher)
		return;
	atomic_store(&ferry->watcher->stop, true);
	watcher_wake(ferry);
	thread_join(&ferry->watcher->thread);
	watcher_forget(ferry);
}

void watcher_forget(struct ferry *ferry)
{
	struct watcher *watcher = ferry->watcher;

	if (!watcher)
		return;
	if (watcher->wake_fd >= 0)
		sys(SYS_close, watcher->wake_fd);
	vault_free(watcher, sizeof(*watcher));
	ferry->watcher = NULL;
}
