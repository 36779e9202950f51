/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The begin of a job, and its delays. A job that has to wait returns its workers to the crew: lanes
 * leave it, and the crew sends lanes again when the delay ends.
 */
#ifndef FERRY_BEGIN_H
#define FERRY_BEGIN_H

#include "lib/core/job.h"

/*
 * Begins the job in its first lane: claims its pages. True: the job has
 * begun, or is stopped. False: the job waits for others, and the lane must leave it.
 */
bool __must_check job_begin(struct ferry_job *job);
/* Delays a job whose claim is not granted until it is. */
void job_delay_for_claim(struct ferry_job *job);
/* Delays the job until until_ns, or until its deadline or a stop. The lane must leave it. */
void job_delay(struct ferry_job *job, uint64_t until_ns);

#endif
