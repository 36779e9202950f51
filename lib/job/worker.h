/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The work of one crew worker on a job. */
#ifndef FERRY_WORKER_H
#define FERRY_WORKER_H

#include "lib/core/job.h"

/* crew_task.work of a job. */
bool lane_work(struct crew_task *task, unsigned int worker);

#endif
