/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FERRY_PLAN_H
#define FERRY_PLAN_H

#include "lib/core/job.h"

/*
 * From a request to segments: sorts the job's pages, cuts them into segments with a mover each, and
 * decides how many threads share the job. 0 or -ENOMEM.
 */
int __must_check job_plan(struct ferry_job *job);

#endif
