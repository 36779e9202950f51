/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the plan of a job: the order of its pages, its segments, and how workers share it. */
#ifndef FERRY_PLAN_H
#define FERRY_PLAN_H

#include "lib/core/job.h"

/*
 * Sorts the pages of the job, cuts them into segments with a mover each, and chooses the number of
 * workers. 0 or -ENOMEM.
 */
int __must_check job_plan(struct ferry_job *job);

#endif
