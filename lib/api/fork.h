/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* No fork happens while pages are in flight, and in a child a context is known to be a copy. */
#ifndef FERRY_FORK_H
#define FERRY_FORK_H

#include "lib/core/context.h"

/* Installs the fork handlers, once per process. 0 or -errno. */
int __must_check fork_watch(void);
void fork_add(struct ferry *ferry);
void fork_remove(struct ferry *ferry);
/* Is this a child's copy of a context of its parent's? */
bool fork_is_parents(const struct ferry *ferry);

/*
 * contexts_bring_in waits until no context of the process has pages in flight, and keeps it so
 * until contexts_let_out.
 */
void contexts_bring_in(void);
void contexts_let_out(void);

#endif
