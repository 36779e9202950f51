/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lib/api calls to run a job: allocate, start, wait, free. */
#ifndef FERRY_LIFECYCLE_H
#define FERRY_LIFECYCLE_H

#include "lib/core/job.h"

/* Allocates an empty job. 0 or -ENOMEM. */
int __must_check job_new(struct ferry *ferry, struct ferry_job **out);
/* Frees a job that has ended or was never started, however complete. NULL is ignored. */
void job_free(struct ferry_job *job);

/* Passes a planned job to the crew and returns. */
void job_start(struct ferry_job *job);
/*
 * Runs a planned job and returns when it has ended. The calling thread works on it too, if that is
 * safe.
 */
void job_run(struct ferry_job *job);
/* The eventfd that says that the job has ended, made by the first call; or -errno. */
int job_event_fd(struct ferry_job *job);
/* Sleeps until the job has ended. */
void job_wait_end(struct ferry_job *job);

#endif
