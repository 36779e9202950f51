/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The watcher's own state, in vault memory, for the files that read and handle events. */
#ifndef FERRY_WATCHER_H
#define FERRY_WATCHER_H

#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdatomic.h>

#include "base/own_fd.h"
#include "base/sys.h"
#include "base/thread.h"
#include "lib/core/context.h"
#include "lib/exchange/changes.h"
#include "lib/exchange/discards.h"
#include "lib/exchange/range_list.h"

struct watcher {
	struct thread thread;
	atomic_bool stop;
	atomic_bool ticking; /* it looks after idle frames from time to time */
	int wake_fd;         /* its number for the watcher itself */
	struct own_fd wake;  /* in the program's table */
	struct futex_lock wake_lock;
	bool shares_table; /* the kernel refuses a table of the watcher's own */
	int opener_tid;
	atomic_uint started; /* futex: enum in watcher.c */
	int spare_fd;        /* given up where a fork event needs a descriptor and none is free */
	/*
	 * (gate) Registered ranges outside the windows: mremap(2) has carried them elsewhere, or a
	 * mapping has grown beyond a window. They are kept until no window is open.
	 */
	struct range_list moved;
	struct discards discards; /* (gate) */
	struct changes changes;
};

/* Keeps a descriptor in reserve, if one is free. */
static inline void watcher_take_spare(struct watcher *watcher)
{
	if (watcher->spare_fd < 0)
		watcher->spare_fd = (int)sys(SYS_fcntl, watcher->wake_fd, F_DUPFD_CLOEXEC, 0);
}

/*
 * Closes the spare descriptor. The program may have closed it and have a file of its own under that
 * number, which stays open.
 */
static inline void watcher_drop_spare(struct watcher *watcher)
{
	long pid = sys(SYS_getpid);

	if (watcher->spare_fd >= 0 &&
	    !sys(SYS_kcmp, pid, pid, KCMP_FILE, watcher->spare_fd, watcher->wake_fd))
		sys(SYS_close, watcher->spare_fd);
	watcher->spare_fd = -1;
}

#endif
