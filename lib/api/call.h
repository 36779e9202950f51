/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a thread enters the library and leaves it, and holds back its signals meanwhile. */
#ifndef FERRY_CALL_H
#define FERRY_CALL_H

#include "base/base.h"

/* False if this thread is in the library already, which a signal handler has interrupted. */
bool call_enter(void);
void call_leave(void);

/*
 * Holds back all signals of the thread until a planned call has ended, as the system call does. A
 * timer that fires faster than its handler runs would otherwise keep the call from making progress.
 */
uint64_t call_block_signals(void);
void call_unblock_signals(uint64_t before);

#endif
