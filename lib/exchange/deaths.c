// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Finds control blocks and robust mutexes of threads that exited while the parcel was in flight.
 * Only put-in ends the time in which the kernel can miss them, so this looks afterwards, at the
 * program's memory: no thread reuses a control block before its id is cleared, nor takes a robust
 * mutex of a dead thread before it is marked. The program may unmap the memory at any time, so it
 * is read and written by process_vm_readv(2) and process_vm_writev(2). Those wait for pages in
 * flight in other lanes, which do not wait for this one.
 */
#include <limits.h>

#include "base/sys.h"
#include "base/usermem.h"
#include "lib/core/context.h"
#include "lib/exchange/deaths.h"

/*
 * What is read at a time, on the worker's stack. What lies on both sides of the border between two
 * windows is found because they overlap.
 */
#define VIEW_BYTES    (16UL << 10)
#define OVERLAP_BYTES 128UL

/* PID_MAX_LIMIT: no thread has a higher id. Most words of a program's data are no ids by that. */
#define TID_MAX (4U << 20)

struct view {
	struct threads *threads;
	uintptr_t addr;
	size_t len_bytes;
	union {
		char bytes[VIEW_BYTES + OVERLAP_BYTES];
		uint64_t words[(VIEW_BYTES + OVERLAP_BYTES) / sizeof(uint64_t)];
	};
};

/* The int at addr, if the view has it; else 0, which is no thread's id. */
static uint32_t view_int(const struct view *view, uintptr_t addr)
{
	uintptr_t offset = addr - view->addr;

	if (addr % sizeof(uint32_t) || offset > view->len_bytes - sizeof(uint32_t))
		return 0;
	return *(const uint32_t *)(view->bytes + offset);
}

static void word_write(uintptr_t addr, uint32_t word)
{
	usermem_write((void *)addr, &word, sizeof(word));
	/* Not the private form: libc waits in the other one, for it is the kernel that wakes. */
	sys(SYS_futex, addr, FUTEX_WAKE, INT_MAX);
}

/*
 * A control block whose thread is dead, but whose id is not cleared: the head of its robust list is
 * empty, so it points to itself.
 */
static void view_clear_tid(const struct view *view, uintptr_t head)
{
	uintptr_t tid_addr = head + (uintptr_t)view->threads->tid_distance;
	int tid = (int)view_int(view, tid_addr);

	if (tid > 0 && threads_is_dead(view->threads, tid))
		word_write(tid_addr, 0);
}

/*
 * A robust mutex whose owner is dead: `entry` links it to the owner's next mutex or to the head of
 * the owner's list. A thread that sets FUTEX_WAITERS in between is woken, and looks again.
 */
static void view_mark_mutex(const struct view *view, uintptr_t entry, uintptr_t next)
{
	uintptr_t futex = entry + (uintptr_t)view->threads->list_word;
	uint32_t word = view_int(view, futex);
	uint32_t tid = word & FUTEX_TID_MASK;

	if (tid && tid <= TID_MAX && threads_know(view->threads, next & ~(uintptr_t)1) &&
	    threads_is_dead(view->threads, (int)tid))
		word_write(futex, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
}

static void view_search(const struct view *view)
{
	size_t nr = view->len_bytes / sizeof(uint64_t);

	for (size_t i = 0; i < nr; i++) {
		uintptr_t at = view->addr + i * sizeof(uint64_t);
		uint64_t link = view->words[i];

		if (!link)
			continue;
		if (link == at && i + 1 < nr && view->words[i + 1] == view->threads->list_word)
			view_clear_tid(view, at);
		else if (view_int(view, at + (uintptr_t)view->threads->list_word))
			view_mark_mutex(view, at, link);
	}
}

static void view_serve(struct view *view, uintptr_t addr, size_t len_bytes)
{
	long len = usermem_read(view->bytes, (const void *)addr, len_bytes);

	view->addr = addr;
	view->len_bytes = len > 0 ? (size_t)len : 0;
	if (view->len_bytes >= sizeof(uint64_t))
		view_search(view);
}

static uintptr_t parcel_page_home(const struct parcel *parcel, unsigned int page)
{
	return parcel->disturbed ? parcel->home[page] : parcel->at + (uintptr_t)page * PAGE_BYTES;
}

static bool parcel_is_home_of(void *arg, uintptr_t addr)
{
	const struct parcel *parcel = arg;

	for (unsigned int i = 0; i < parcel->nr_pages; i++)
		if (addr - parcel_page_home(parcel, i) < PAGE_BYTES)
			return true;
	return false;
}

void parcel_serve_deaths(struct lane *lane, const struct parcel *parcel)
{
	struct view view;
	size_t len = (size_t)parcel->nr_pages * PAGE_BYTES;

	view.threads = lane->ferry->threads;
	for (unsigned int i = 0; parcel->disturbed && i < parcel->nr_pages; i++)
		if (!map_test(&parcel->dropped, i))
			view_serve(&view, parcel->home[i], PAGE_BYTES);
	for (size_t at = 0; !parcel->disturbed && at < len; at += VIEW_BYTES) {
		size_t before = MIN(at, OVERLAP_BYTES);

		view_serve(&view, parcel->at + at - before, MIN(len - at, VIEW_BYTES) + before);
	}
}

bool parcel_met_deaths(struct lane *lane, const struct parcel *parcel)
{
	struct threads *threads = lane->ferry->threads;

	if (!threads_changed(threads, &parcel->look))
		return false;
	threads_wait_exiting(threads, parcel_is_home_of, (void *)parcel);
	return threads_have_died(threads, &parcel->look);
}
