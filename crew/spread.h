/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keeps threads that work at the same time on CPUs of their own.
 *
 * The scheduler may wake a worker on the CPU of the thread that woke it, in guests more often than
 * not, and leave both there for longer than the work takes.
 */
#ifndef FERRY_SPREAD_H
#define FERRY_SPREAD_H

#include <sched.h>
#include <stdatomic.h>

#include "crew/placement.h"

/* All-zero is empty. */
struct spread {
	atomic_uchar users[CPU_SETSIZE]; /* threads at work, by the CPU they started on */
	atomic_uchar bound[CPU_SETSIZE]; /* threads bound to it: one at most */
};

/* The calling thread works on the CPU that it is on. Returns what spread_leave wants. */
int spread_enter(struct spread *spread);
/* The same, and where another thread works there, moves to a free CPU of the place first. */
int spread_enter_free(struct spread *spread, const struct place *place);
void spread_leave(struct spread *spread, int cpu);
/* The calling thread works on cpu, unless another does. */
bool spread_claim(struct spread *spread, int cpu);

/*
 * Binds the calling thread to one CPU of the place that no other is bound to, to `cpu` if it can
 * be. Returns which; -1: to none.
 */
int spread_bind(struct spread *spread, const struct place *place, int cpu);
/* Any CPU of the place will do for a thread; 0: the calling one. */
void spread_allow(const struct place *place, int tid);
/* And nobody is bound to cpu any more. */
void spread_unbind(struct spread *spread, const struct place *place, int cpu);

#endif
