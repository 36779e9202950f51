/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FERRY_CHILD_H
#define FERRY_CHILD_H

#include "lib/core/context.h"

/*
 * Gives a child what it misses of pages that are out, by its userfaultfd, which is closed. For the
 * watcher, with the `move_gate` shut.
 */
void child_serve(struct ferry *ferry, int fd);

#endif
