/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one context of the process: opened by the first call that is worth it, never closed. */
#ifndef FERRY_PRELOAD_CONTEXT_H
#define FERRY_PRELOAD_CONTEXT_H

#include "include/pageferry.h"
#include "preload/settings.h"

/* Why a call went straight to the kernel. */
enum plain {
	PLAIN_SMALL,   /* fewer than PAGEFERRY_MIN_PAGES pages */
	PLAIN_QUERY,   /* only asks where pages are */
	PLAIN_EARLY,   /* before the drop-in was initialised */
	PLAIN_OPENING, /* while another call, or this thread's own, opens the context */
	PLAIN_SIGNAL,  /* the context isn't open, and this may be a signal handler */
	PLAIN_THREAD,  /* a thread or process that libc doesn't know: raw clone, vfork */
	PLAIN_OFF,     /* disabled, or the context could not be opened */
	NR_PLAIN,
};

/*
 * The context, opened if need be; NULL with *why set if the caller is to use the system call.
 * Never waits. Safe in signal handlers, in vfork children and in threads that libc doesn't know.
 */
struct ferry *context_get(const struct settings *settings, enum plain *why);

/* The context if it is open. */
struct ferry *context_peek(void);

/* From here on context_get may open. enabled false: it never will. */
void context_allow(bool enabled);

/* Pages may be given away by reference: their frames must not be used again. */
void context_use_fresh_frames(void);

/* In a forked child: forgets the parent's context. */
void context_forget(void);

#endif
