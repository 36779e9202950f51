/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where CPUs are short. */
#ifndef FERRY_CPU_PRESSURE_H
#define FERRY_CPU_PRESSURE_H

#include "lib/core/lane.h"

long cpu_pressure_nr_preempted(void);
/* Before a take-out: see to it that this lane will keep its CPU for a while. */
void cpu_pressure_relieve(struct lane *lane);

#endif
