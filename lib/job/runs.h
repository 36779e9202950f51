/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registers the runs of a job with the userfaultfd, from the job's begin to its end. */
#ifndef FERRY_RUNS_H
#define FERRY_RUNS_H

#include "lib/core/job.h"

/* A run that cannot be registered goes to the kernel mover. */
void runs_register(struct ferry_job *job);
void runs_unregister(struct ferry_job *job);

#endif
