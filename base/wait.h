/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FERRY_WAIT_H
#define FERRY_WAIT_H

#include <time.h>

#include "base/clock.h"
#include "base/sys.h"

#define EAGER_YIELDS  4
#define STEP_ASIDE_NS (20 * NS_PER_US)

/*
 * Lets somebody else run who is waited for; tries counts up. sched_yield(2) goes on too soon for a
 * thread of lower priority to get far, so after a few of them this sleeps.
 */
static inline void step_aside(unsigned int tries)
{
	struct timespec ts = {.tv_nsec = STEP_ASIDE_NS};

	if (tries < EAGER_YIELDS)
		sys(SYS_sched_yield);
	else
		sys(SYS_nanosleep, &ts, NULL);
}

#endif
