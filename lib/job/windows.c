// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A window is open from before the first take-out in it until a later window is opened, or the job
 * rests or ends. It stays open as long as a lane uses it: if it were unregistered with pages in
 * flight, threads that access them would no longer wait, because UFFDIO_MOVE takes pages out of any
 * mapping, registered or not.
 */
#include <errno.h>

#include "base/vault.h"
#include "lib/exchange/exchange.h"
#include "lib/job/windows.h"

/* ---- under runs_lock ---- */

static struct window *window_find_free(struct ferry *ferry)
{
	for (unsigned int i = 0; i < NR_WINDOWS; i++)
		if (!ferry->windows[i].job)
			return &ferry->windows[i];
	return NULL;
}

/* Does another window begin or end here? */
static bool window_borders_at(const struct ferry *ferry, const struct window *window,
			      uintptr_t addr)
{
	for (unsigned int i = 0; i < NR_WINDOWS; i++)
		if (&ferry->windows[i] != window && ferry->windows[i].job &&
		    (ferry->windows[i].start == addr || ferry->windows[i].end == addr))
			return true;
	return false;
}

static void window_unregister(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	watcher_unregister(ferry, start, end);
	/* Pages in flight in moved ranges belong to windows that are open. */
	if (!ferry->nr_windows)
		watcher_unregister_moved(ferry);
}

static void window_close(struct ferry *ferry, struct window *window)
{
	/* What follows may be registered for another window, not because the mapping has grown. */
	if (!window_borders_at(ferry, window, window->end))
		watcher_note_grown_up(ferry, window->end);
	if (!window_borders_at(ferry, window, window->start))
		watcher_note_grown_down(ferry, window->start);
	window->job = NULL;
	ferry->nr_windows--;
	window_unregister(ferry, window->start, window->end);
}

static void windows_close_unused(struct ferry_job *job)
{
	struct ferry *ferry = job->ferry;

	for (unsigned int i = 0; i < NR_WINDOWS; i++) {
		struct window *window = &ferry->windows[i];

		if (window->job == job && !atomic_load(&window->nr_users))
			window_close(ferry, window);
	}
}

/*
 * What the kernel registers may be other memory than was planned: the program may have unmapped
 * part of the run, and the library may have mapped its own memory there. A mapping that is made
 * after this look is not registered, and parcel_start() leaves it alone.
 *
 * EBUSY and EINVAL tell that the kernel has registered nothing. ENOMEM, for want of mappings or
 * memory, may come after it has registered some of several mappings.
 */
static enum ferry_reason window_register(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	int err = uffd_register(ferry->uffd, start, end - start);
	bool own = !err && vault_overlaps_settled((void *)start, end - start);

	if (own || err == -ENOMEM)
		window_unregister(ferry, start, end);
	if (err)
		return err == -EBUSY ? FERRY_REASON_UFFD_BUSY : FERRY_REASON_MAPPING;
	return own ? FERRY_REASON_OWN : FERRY_REASON_NONE;
}

static bool window_open(struct ferry_job *job, uintptr_t start, uintptr_t end)
{
	struct ferry *ferry = job->ferry;
	struct window *window = window_find_free(ferry);

	if (!window)
		return false;
	job->ready = (struct ready_part){.start = start, .end = end};
	job->ready.reason = window_register(ferry, start, end);
	if (job->ready.reason)
		return true;
	window->job = job;
	window->start = start;
	window->end = end;
	ferry->nr_windows++;
	job->ready.window = window;
	return true;
}

/* ---- without it ---- */

bool windows_slide(struct ferry_job *job, uintptr_t start, uintptr_t end)
{
	bool opened;

	futex_lock(&job->ferry->runs_lock);
	job->ready = (struct ready_part){0};
	windows_close_unused(job);
	opened = window_open(job, start, end);
	futex_unlock(&job->ferry->runs_lock);
	return opened;
}

void windows_rest(struct ferry_job *job)
{
	const struct window *ready = job->ready.window;

	futex_lock(&job->ferry->runs_lock);
	windows_close_unused(job);
	/*
	 * A window that another lane uses goes on. Another one in its place would overlap it, and
	 * end with it.
	 */
	if (!ready || ready->job != job)
		job->ready = (struct ready_part){0};
	futex_unlock(&job->ferry->runs_lock);
}
