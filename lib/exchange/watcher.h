/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FERRY_WATCHER_H
#define FERRY_WATCHER_H

#include "lib/core/context.h"

/* May a madvise(2) that discards some of this be under way? Asked inside the `move_gate`. */
bool watcher_sees_discard(const struct ferry *ferry, uintptr_t start, size_t len_bytes);

#endif
