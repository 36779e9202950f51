/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job from its allocation to its end. */
#ifndef FERRY_LIFECYCLE_H
#define FERRY_LIFECYCLE_H

#include "lib/core/job.h"

/* Allocates an empty job; job_free takes half-built ones. 0 or -ENOMEM. */
int __must_check job_new(struct ferry *ferry, struct ferry_job **out);
void job_free(struct ferry_job *job);

/* Hands a planned job to the crew. */
void job_start(struct ferry_job *job);
/* Works on it in the calling thread too, if that is safe; returns when it has ended. */
void job_run(struct ferry_job *job);
/* Sleeps until it has ended. */
void job_wait_end(struct ferry_job *job);

#endif
