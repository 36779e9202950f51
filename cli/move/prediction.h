/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the cost model predicts for a row, by the profile that the library has found. */
#ifndef MIGBENCH_MOVE_PREDICTION_H
#define MIGBENCH_MOVE_PREDICTION_H

#include "cli/move/variant.h"
#include "crew/placement.h"
#include "policy/profile.h"

struct prediction {
	bool known; /* this machine has a measured profile */
	struct profile profile;
	enum profile_reach reach;
	unsigned int nr_cpus;
};

void prediction_open(struct prediction *prediction, const struct placement *placement,
		     const int node[2]);

/*
 * The predicted rate of jobs whose mover the library chooses, and of the exchange mover; 0: there
 * is no prediction for this row. nr_workers 0: as many as the model finds best.
 */
double prediction_gb_per_s(const struct prediction *prediction, enum variant variant,
			   size_t folio_bytes, unsigned int nr_workers);

#endif
