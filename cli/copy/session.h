/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one run of migbench copy shares among its measurements. */
#ifndef MIGBENCH_COPY_SESSION_H
#define MIGBENCH_COPY_SESSION_H

#include "cli/counters/counters.h"
#include "cli/limit/limit.h"
#include "cli/plot/plot.h"
#include "cli/report/report.h"

struct copy_session {
	struct report report;
	struct plot plot;
	struct placement *placement;
	struct loops *loops;
	struct counters counters; /* sums over the engines of all rows */
};

#endif
