/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registers part of a run with the userfaultfd, and unregisters it. */
#ifndef FERRY_RUNS_H
#define FERRY_RUNS_H

#include "lib/core/context.h"

/* 0 or -errno; on failure nothing of [start, end) is registered. Under runs_lock. */
int __must_check run_register(struct ferry *ferry, uintptr_t start, uintptr_t end);
/* No page of [start, end) is in flight. Under runs_lock. */
void run_unregister(struct ferry *ferry, uintptr_t start, uintptr_t end);

#endif
