/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context of the process. The first call that needs it opens it; nothing closes it. */
#ifndef FERRY_PRELOAD_CONTEXT_H
#define FERRY_PRELOAD_CONTEXT_H

#include "include/pageferry.h"
#include "preload/settings.h"

/* Why the drop-in made the plain system call. */
enum plain {
	PLAIN_SMALL,   /* fewer than PAGEFERRY_MIN_PAGES pages */
	PLAIN_QUERY,   /* the call moves nothing: nodes is NULL */
	PLAIN_EARLY,   /* the drop-in's constructor has not run yet */
	PLAIN_OPENING, /* another thread, or an outer call of this one, is opening the context */
	PLAIN_SIGNAL,  /* the context is not open, and the caller may be a signal handler */
	PLAIN_THREAD,  /* the thread was not created by libc: raw clone, or a vfork child */
	PLAIN_OFF,     /* the drop-in is disabled, or the context could not be opened */
	NR_PLAIN,
};

/*
 * Returns the context, and opens it if necessary. NULL, with *why set: the caller makes the plain
 * system call. Does not wait for other threads. Safe in signal handlers, in vfork children and in
 * threads that libc did not create.
 */
struct ferry *context_get(const struct settings *settings, enum plain *why);

/* The context, or NULL if it is not open. Thread-safe. */
struct ferry *context_peek(void);

/* From now on context_get may open the context; if enabled is false, it never does. */
void context_allow(bool enabled);

/*
 * From now on frames that pages have left are freed and not reused, because the kernel may still
 * read them: the program has passed pages to it by reference.
 */
void context_use_fresh_frames(void);

/* In a forked child: forgets the parent's context, so that the next call opens a new one. */
void context_forget(void);

#endif
