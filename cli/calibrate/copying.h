/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Measures what copying costs: by one worker, by several, and by a device of each kind. */
#ifndef MIGBENCH_CALIBRATE_COPYING_H
#define MIGBENCH_CALIBRATE_COPYING_H

#include "cli/calibrate/calibration.h"

/*
 * Opens the CPU engine for each number of workers, and an engine for each kind of device that can
 * be used here. spec: one more engine, "dsa:…" or "sdxi:…", which must open; NULL: none. 0 or an
 * exit code.
 */
int copying_open(struct calibration *calibration, const char *spec);

/* Adds samples for folios of this size between the nodes of this pass. 0 or an exit code. */
int copying_measure(struct calibration *calibration, enum profile_reach reach,
		    enum profile_size size);

#endif
