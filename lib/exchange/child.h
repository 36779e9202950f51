/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Children of a bare clone(2). */
#ifndef FERRY_CHILD_H
#define FERRY_CHILD_H

#include "lib/core/context.h"

/*
 * Gives a child the pages that it misses because they are in flight, and closes fd, the child's
 * userfaultfd. The watcher calls this with `move_gate` shut.
 */
void child_serve(struct ferry *ferry, int fd);

#endif
