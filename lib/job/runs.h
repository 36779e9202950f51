/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runs of a job that exchanges are registered with the userfaultfd from its begin to its end.
 */
#ifndef FERRY_RUNS_H
#define FERRY_RUNS_H

#include "lib/core/job.h"

/* A run that can't be registered becomes the kernel mover's. */
void runs_register(struct ferry_job *job);
void runs_unregister(struct ferry_job *job);

#endif
