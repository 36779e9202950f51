/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* May pages of a process go to these nodes? The kernel is asked, once per node. */
#ifndef FERRY_NODE_CHECK_H
#define FERRY_NODE_CHECK_H

#include "base/base.h"

/*
 * Looks at nodes in order. Returns how many are good before the first bad one; *error says what is
 * wrong with that: -ENODEV, -EACCES, 0 if all are good.
 */
uint64_t nodecheck(int pid, int flags, const int *nodes, uint64_t nr, int *error);

/* Everything move_pages(2) checks before it looks at the arrays. 0, or its -errno. */
int process_check(int pid, int flags);

/* True if pid names the calling process, or one of its threads. */
bool is_own_process(int pid);

#endif
