/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Measures what waking a worker costs, and what a small job takes beyond its parts. */
#ifndef MIGBENCH_CALIBRATE_THREADS_H
#define MIGBENCH_CALIBRATE_THREADS_H

#include "cli/calibrate/calibration.h"

/* Adds samples of a worker that wakes, and of a small job. 0 or an exit code. */
int threads_measure(struct calibration *calibration);

#endif
