/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A window is the part of a run that is registered with the userfaultfd. It slides: a job registers
 * the next stretch of a run before it takes pages out there, and unregisters a stretch when all its
 * pages are in. Outside the windows a fault costs what it costs without the library.
 */
#ifndef FERRY_WINDOW_H
#define FERRY_WINDOW_H

#include <stdatomic.h>
#include <stdint.h>

struct ferry_job;

/*
 * The most windows of a context. Each splits a mapping in two places, so it may cost two of the
 * vm.max_map_count mappings that the program has as well. Increasing this lets more lanes work on
 * short runs at a time; decreasing it leaves more mappings to the program.
 */
#define NR_WINDOWS 64

/* Lives in vault memory. */
struct window {
	const struct ferry_job *job; /* (runs_lock) NULL: free */
	uintptr_t start, end;        /* (runs_lock) */
	atomic_uint nr_users;        /* units that lanes work on, and parcels in flight */
};

static inline void window_hold(struct window *window)
{
	atomic_fetch_add(&window->nr_users, 1);
}

/* None of the user's pages is in flight any more. NULL is ignored. */
static inline void window_put(struct window *window)
{
	if (window)
		atomic_fetch_sub(&window->nr_users, 1);
}

#endif
