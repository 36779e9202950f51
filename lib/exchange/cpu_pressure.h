/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Back-off where other threads want a lane's CPU. */
#ifndef FERRY_CPU_PRESSURE_H
#define FERRY_CPU_PRESSURE_H

#include "lib/core/lane.h"

/* The calling thread's involuntary context switches. */
long cpu_pressure_nr_preempted(void);
/*
 * Call this before a take-out, with nothing in flight. While CPUs are short, a lane that has run
 * for a while gives up its CPU here.
 */
void cpu_pressure_relieve(struct lane *lane);

#endif
