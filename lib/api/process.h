/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which process a call is about, and whether the kernel lets the caller move its pages. The kernel
 * itself answers, by calls of move_pages(2) that move nothing.
 */
#ifndef FERRY_PROCESS_H
#define FERRY_PROCESS_H

#include "base/base.h"

/* True if pid names the calling process, or one of its threads. */
bool process_is_own(int pid);

/* Runs the checks that move_pages(2) does before it reads the arrays. 0, or its -errno. */
int process_check(int pid, int flags);

/*
 * Checks in order whether pages of the process may go to these nodes; the kernel is asked once per
 * node. Returns how many nodes are good before the first bad one. *error is 0 if all are good, else
 * -ENODEV or -EACCES for that node.
 */
uint64_t process_check_nodes(int pid, int flags, const int *nodes, uint64_t nr, int *error);

#endif
