/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread's way into the library, and out again. */
#ifndef FERRY_CALL_H
#define FERRY_CALL_H

#include "base/base.h"

/* False if this thread is inside already: a signal handler has interrupted it. */
bool call_enter(void);
void call_leave(void);

#endif
