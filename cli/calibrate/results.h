/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of migbench calibrate. */
#ifndef MIGBENCH_CALIBRATE_RESULTS_H
#define MIGBENCH_CALIBRATE_RESULTS_H

#include "cli/calibrate/calibration.h"
#include "cli/report/report.h"

/* What was measured, how copying scales, and what was not measured and why. */
void results_report(const struct calibration *calibration, struct report *report);

#endif
