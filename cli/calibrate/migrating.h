/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Measures what move_pages(2) costs: per call, and per byte by size of the folios. */
#ifndef MIGBENCH_CALIBRATE_MIGRATING_H
#define MIGBENCH_CALIBRATE_MIGRATING_H

#include "cli/calibrate/calibration.h"

/* Adds samples for the nodes of this pass; within a node the call moves nothing. 0 or an exit code.
 */
int migrating_measure(struct calibration *calibration, enum profile_reach reach,
		      enum profile_size size);

#endif
