/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hands out the units of a job to its lanes, in order of position. */
#ifndef FERRY_DISPATCH_H
#define FERRY_DISPATCH_H

#include "lib/core/job.h"

/* Stores the next unit in *out. False: there is none, or the job is stopped. */
bool dispatch_next_unit(struct ferry_job *job, struct lane *lane, struct unit *out);

#endif
