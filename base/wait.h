/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for a thread that has to run first. */
#ifndef FERRY_WAIT_H
#define FERRY_WAIT_H

#include <time.h>

#include "base/clock.h"
#include "base/sys.h"

/*
 * Increasing either leaves the CPU to the awaited thread for longer; decreasing either notices its
 * progress sooner, at the cost of CPU time. More yields react faster than sleeps where that thread
 * has the same priority.
 */
#define NR_YIELDS     4
#define STEP_ASIDE_NS (20 * NS_PER_US)

/*
 * Lets other threads run while the caller waits for one of them. The caller counts tries up. After
 * a few calls of sched_yield(2) this sleeps: sched_yield leaves little CPU time to threads of lower
 * priority.
 */
static inline void step_aside(unsigned int tries)
{
	struct timespec ts = {.tv_nsec = STEP_ASIDE_NS};

	if (tries < NR_YIELDS)
		sys(SYS_sched_yield);
	else
		sys(SYS_nanosleep, &ts, NULL);
}

#endif
