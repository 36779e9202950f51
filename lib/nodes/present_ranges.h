/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The present pages of a process, without the memory of this library. */
#ifndef FERRY_PRESENT_RANGES_H
#define FERRY_PRESENT_RANGES_H

#include "base/base.h"

typedef int (*present_range_fn)(void *arg, uintptr_t start, uint64_t nr_pages);

/*
 * Calls fn for each range of present pages, in ascending order, until fn returns nonzero. pid 0 is
 * this process. Needs PROCMAP_QUERY and PAGEMAP_SCAN. 0, what fn returned, or -errno.
 */
int present_ranges_walk(int pid, present_range_fn fn, void *arg);

#endif
