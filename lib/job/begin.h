/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job's first lane begins it; a job that has to wait gives its lanes back. */
#ifndef FERRY_BEGIN_H
#define FERRY_BEGIN_H

#include "lib/core/job.h"

/*
 * Claims and registers what the job will take out; the first lane to come does it. False: other
 * jobs are in its way. Then the lane leaves the job, and the crew comes back when it is its turn.
 */
bool __must_check job_begin(struct ferry_job *job);
/* The job is in line for its claim: no lane comes before it is granted. */
void job_wait_for_claim(struct ferry_job *job);
/* The lane is about to leave; lanes come back at until_ns, or at once when the job is stopped. */
void job_rest(struct ferry_job *job, uint64_t until_ns);

#endif
