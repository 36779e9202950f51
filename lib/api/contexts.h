/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The open contexts of this process. */
#ifndef FERRY_CONTEXTS_H
#define FERRY_CONTEXTS_H

#include "lib/core/context.h"

void contexts_add(struct ferry *ferry);
void contexts_remove(struct ferry *ferry);

/*
 * Waits until no context has pages in flight, and keeps it so until contexts_resume(). Any number
 * of threads may do so at a time. Nothing is locked in between: jobs go on by the kernel mover.
 */
void contexts_drain(void);
void contexts_resume(void);

/* Opens the files of /proc again that the program has closed. The caller has blocked signals. */
void contexts_keep_files(struct ferry *ferry);

/*
 * In a forked child, which has copies of the parent's contexts: marks them as such, closes their
 * userfaultfds, which act on the parent, and starts an empty list.
 */
void contexts_forget(void);

#endif
