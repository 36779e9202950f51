/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hands out a job to its lanes, unit by unit, in address order. */
#ifndef FERRY_DISPATCH_H
#define FERRY_DISPATCH_H

#include "lib/core/job.h"

/* The next unit; false when there is none, or the job is to stop. */
bool dispatch_next_unit(struct ferry_job *job, struct lane *lane, struct unit *out);

#endif
