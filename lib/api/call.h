/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread's way into the library, and out again. */
#ifndef FERRY_CALL_H
#define FERRY_CALL_H

#include "base/base.h"

/* False if this thread is inside already: a signal handler has interrupted it. */
bool call_enter(void);
void call_leave(void);

/*
 * Signals wait until a planned call has ended, as they do for the system call: a timer that fires
 * faster than its handler runs would keep the thread from ever getting on.
 */
uint64_t call_block_signals(void);
void call_unblock_signals(uint64_t before);

#endif
