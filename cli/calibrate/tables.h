/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Measures what UFFDIO_MOVE costs, and its TLB flushes while other CPUs run the process. */
#ifndef MIGBENCH_CALIBRATE_TABLES_H
#define MIGBENCH_CALIBRATE_TABLES_H

#include "cli/calibrate/calibration.h"

/* Adds samples; notes in calibration->no_exchange why there are none. 0 or an exit code. */
int tables_measure(struct calibration *calibration);

#endif
