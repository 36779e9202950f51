// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The watcher is a thread that reads the userfaultfd's events (events.c) and frees frames that no
 * job has used for a while.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/vault.h"
#include "lib/exchange/events.h"
#include "lib/exchange/exchange.h"
#include "lib/exchange/watcher.h"

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

static void *watcher_run(void *arg)
{
	struct ferry *ferry = arg;
	struct watcher *watcher = ferry->watcher;
	uint64_t sleep_ns = FUTEX_FOREVER;
	uint64_t count;

	sys(SYS_prctl, PR_SET_NAME, "ferry/watch");
	/* Otherwise boosted workers would wait for a watcher of lower priority. */
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
			events_read(ferry);
		if (ready > 0 && fds[1].revents)
			sys(SYS_read, watcher->wake_fd, &count, sizeof(count));
		if (ready == 0 || fds[1].revents)
			sleep_ns = watcher_trim_pools(ferry);
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

int watcher_start(struct ferry *ferry)
{
	struct watcher *watcher;
	int err = vault_alloc(sizeof(*watcher), (void **)&watcher);

	if (err)
		return err;
	ferry->watcher = watcher;
	watcher->spare_fd = -1;
	watcher->wake_fd = (int)sys(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
	watcher_take_spare(watcher);
	err = watcher->wake_fd < 0 ? watcher->wake_fd
				   : thread_start(&watcher->thread, watcher_run, ferry);
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
	watcher_drop_spare(watcher);
	if (watcher->wake_fd >= 0)
		sys(SYS_close, watcher->wake_fd);
	vault_free(watcher, sizeof(*watcher));
	ferry->watcher = NULL;
}
