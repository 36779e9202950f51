// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The watcher is a thread that reads the userfaultfd's events (events.c) and frees frames that no
 * job has used for a while.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/vault.h"
#include "lib/exchange/events.h"
#include "lib/exchange/exchange.h"
#include "lib/exchange/watcher.h"
#include "lib/nodes/pagemap.h"

/*
 * While pools hold idle frames, the watcher looks at them this often. Increasing this wakes it less
 * often; decreasing it frees frames sooner where memory is short.
 */
#define IDLE_CHECK_NS (1 * NS_PER_SEC)
/*
 * Frames that have been idle for this long are freed. Increasing this spares more jobs the
 * allocation; decreasing it gives memory back sooner.
 */
#define IDLE_TRIM_NS (5 * NS_PER_SEC)

/*
 * Where the watcher shares the program's table, the program may close what wakes it. So it looks
 * this often whether it is to stop. Increasing this wakes it less often; decreasing it closes a
 * context sooner whose descriptors the program has closed.
 */
#define SHARED_CHECK_NS (1 * NS_PER_SEC)

/* Frees idle frames where it is time. Returns how long the watcher may sleep. */
static uint64_t watcher_trim_pools(struct ferry *ferry)
{
	bool busy = atomic_load(&ferry->nr_active_jobs);

	if (!busy && pools_held_bytes(&ferry->pools) > ferry->prefill_bytes &&
	    now_ns() - atomic_load(&ferry->idle_since_ns) > IDLE_TRIM_NS)
		pools_trim(&ferry->pools, ferry->prefill_bytes);
	else
		pools_trim_low(&ferry->pools);
	return busy || pools_held_bytes(&ferry->pools) ? IDLE_CHECK_NS : FUTEX_FOREVER;
}

/* ---- a table of its own ---- */

enum { WATCHER_STARTING, WATCHER_STARTED, WATCHER_FAILED };

/* Copies a descriptor of the program to the same number of the watcher's table. */
static bool watcher_fetch(const struct watcher *watcher, int number)
{
	long fd = own_fd_fetch(watcher->opener_tid, number);
	long copy = fd;

	if (fd >= 0 && fd != number) {
		copy = sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, number);
		sys(SYS_close, fd);
	}
	return copy == number;
}

/*
 * Leaves the program's table for one that holds the watcher's descriptors only: of those of the
 * program, none must stay open here. See uffd_keeper.h for what this is good for. False: the
 * watcher has a table, but not its descriptors.
 */
static bool watcher_leave_table(struct ferry *ferry)
{
	struct watcher *watcher = ferry->watcher;
	long probe = own_fd_fetch(watcher->opener_tid, ferry->uffd);

	if (probe >= 0)
		sys(SYS_close, probe);
	watcher->shares_table = probe < 0 || sys(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE);
	if (watcher->shares_table)
		return true;
	if (!watcher_fetch(watcher, ferry->uffd) || !watcher_fetch(watcher, watcher->wake_fd) ||
	    !watcher_fetch(watcher, pagemap_own()))
		return false;
	uffd_keeper_add(&ferry->uffd_keeper, (int)sys(SYS_gettid), ferry->uffd);
	return true;
}

static bool watcher_begin(struct ferry *ferry)
{
	struct watcher *watcher = ferry->watcher;
	bool ok = watcher_leave_table(ferry);

	watcher_take_spare(watcher);
	atomic_store(&watcher->started, ok ? WATCHER_STARTED : WATCHER_FAILED);
	futex_wake(&watcher->started, 1);
	return ok;
}

/* ---- the thread ---- */

static void *watcher_run(void *arg)
{
	struct ferry *ferry = arg;
	struct watcher *watcher = ferry->watcher;
	uint64_t sleep_ns = FUTEX_FOREVER;
	struct timespec pause = {.tv_nsec = 100 * NS_PER_MS};
	uint64_t count;

	sys(SYS_prctl, PR_SET_NAME, "ferry/watch");
	if (!watcher_begin(ferry))
		return NULL;
	/* Otherwise boosted workers would wait for a watcher of lower priority. */
	if (ferry->boost)
		thread_boost();
	if (watcher->shares_table)
		sleep_ns = SHARED_CHECK_NS;
	for (;;) {
		struct pollfd fds[] = {
			{.fd = ferry->uffd, .events = POLLIN},
			{.fd = watcher->wake_fd, .events = POLLIN},
		};
		struct timespec ts = {.tv_sec = (time_t)(sleep_ns / NS_PER_SEC),
				      .tv_nsec = (long)(sleep_ns % NS_PER_SEC)};
		long ready = sys(SYS_ppoll, fds, ARRAY_SIZE(fds),
				 sleep_ns == FUTEX_FOREVER ? NULL : &ts, NULL, 0);

		/* The program has closed them. */
		if (ready > 0 && (fds[0].revents | fds[1].revents) & POLLNVAL)
			sys(SYS_nanosleep, &pause, NULL);
		else if (ready > 0 && fds[0].revents)
			events_read(ferry);
		if (ready > 0 && fds[1].revents)
			sys(SYS_read, watcher->wake_fd, &count, sizeof(count));
		if (atomic_load(&watcher->stop))
			break;
		if (ready == 0 || fds[1].revents)
			sleep_ns = watcher_trim_pools(ferry);
		if (watcher->shares_table)
			sleep_ns = MIN(sleep_ns, (uint64_t)SHARED_CHECK_NS);
		atomic_store(&watcher->ticking, sleep_ns != FUTEX_FOREVER);
	}
	return NULL;
}

/* If the program has closed the descriptor, this fetches another from the watcher's table. */
static void watcher_wake(struct ferry *ferry)
{
	struct watcher *watcher = ferry->watcher;
	uint64_t one = 1;

	if (!watcher)
		return;
	futex_lock(&watcher->wake_lock);
	if (!own_fd_holds(&watcher->wake))
		own_fd_take(&watcher->wake,
			    own_fd_fetch(atomic_load(&ferry->uffd_keeper.tid), watcher->wake_fd));
	if (watcher->wake.fd >= 0)
		sys(SYS_write, watcher->wake.fd, &one, sizeof(one));
	futex_unlock(&watcher->wake_lock);
}

void watcher_note_frames(struct ferry *ferry)
{
	if (ferry->watcher && !atomic_load(&ferry->watcher->ticking))
		watcher_wake(ferry);
}

int watcher_start(struct ferry *ferry)
{
	struct watcher *watcher;
	int err = vault_alloc(sizeof(*watcher), (void **)&watcher);

	if (err)
		return err;
	ferry->watcher = watcher;
	watcher->spare_fd = -1;
	watcher->opener_tid = (int)sys(SYS_gettid);
	watcher->wake = OWN_FD_NONE;
	err = own_fd_take(&watcher->wake, sys(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
	watcher->wake_fd = watcher->wake.fd;
	if (!err)
		err = thread_start(&watcher->thread, watcher_run, ferry);
	while (!err && atomic_load(&watcher->started) == WATCHER_STARTING)
		futex_wait(&watcher->started, WATCHER_STARTING, FUTEX_FOREVER);
	if (!err && atomic_load(&watcher->started) == WATCHER_FAILED) {
		thread_join(&watcher->thread);
		err = -EMFILE;
	}
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
	uffd_keeper_remove(&ferry->uffd_keeper);
	watcher_forget(ferry);
}

void watcher_forget(struct ferry *ferry)
{
	struct watcher *watcher = ferry->watcher;

	if (!watcher)
		return;
	if (watcher->shares_table)
		watcher_drop_spare(watcher);
	own_fd_drop(&watcher->wake);
	vault_free(watcher, sizeof(*watcher));
	ferry->watcher = NULL;
}
