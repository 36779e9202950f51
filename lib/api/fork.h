/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeps fork(2) and pages in flight apart, and recognizes a child's copy of a context. */
#ifndef FERRY_FORK_H
#define FERRY_FORK_H

#include "lib/core/context.h"

/* Installs the fork handlers, once per process. 0 or -errno. */
int __must_check fork_watch(void);

/* True if this process is a child, and the context a copy of its parent's. */
bool fork_is_copy(const struct ferry *ferry);

#endif
