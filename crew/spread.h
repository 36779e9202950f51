/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keeps threads that work at the same time on different CPUs.
 *
 * The scheduler may wake a worker on the CPU of the thread that woke it, and in virtual machines it
 * usually does. It then leaves both there for longer than the work takes.
 */
#ifndef FERRY_SPREAD_H
#define FERRY_SPREAD_H

#include <sched.h>
#include <stdatomic.h>

#include "crew/placement.h"

/* All-zero is the initial state. */
struct spread {
	atomic_uchar users[CPU_SETSIZE]; /* threads at work, by the CPU on which they started */
	atomic_uchar bound[CPU_SETSIZE]; /* threads bound to that CPU alone: at most one */
};

/*
 * Counts the calling thread as a user of its present CPU. Returns that CPU, to pass to
 * spread_leave, or -1 if it is unknown.
 */
int spread_enter(struct spread *spread);
/* The same, but a thread whose CPU has a user first migrates to a free CPU of the place. */
int spread_enter_free(struct spread *spread, const struct place *place);
/* Ignores -1. */
void spread_leave(struct spread *spread, int cpu);
/* Counts the calling thread as the user of cpu, unless cpu has one. True if it did. */
bool spread_claim(struct spread *spread, int cpu);

/*
 * Binds the calling thread to one CPU of the place to which no other thread is bound, preferably to
 * `cpu`. Returns that CPU, or -1 if the thread was not bound.
 */
int spread_bind(struct spread *spread, const struct place *place, int cpu);
/* Undoes spread_bind: cpu is what it returned. The thread may run on any CPU of the place again. */
void spread_unbind(struct spread *spread, const struct place *place, int cpu);
/* Lets a thread run on any CPU of the place; tid 0: the calling thread. */
void spread_allow(const struct place *place, int tid);

#endif
