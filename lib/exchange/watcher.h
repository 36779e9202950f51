/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The watcher's own state, in vault memory, for the files that read and handle events. */
#ifndef FERRY_WATCHER_H
#define FERRY_WATCHER_H

#include <stdatomic.h>

#include "base/thread.h"
#include "lib/core/context.h"
#include "lib/exchange/discards.h"
#include "lib/exchange/moved_ranges.h"

struct watcher {
	struct thread thread;
	atomic_bool stop;
	atomic_bool ticking; /* it looks after idle frames from time to time */
	int wake_fd;
	struct moved_ranges moved;
	struct discards discards; /* (gate) */
};

#endif
