/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Claims order the jobs of this process. Two jobs whose pages overlap do not run at the same time
 * if one of them exchanges. A job that has to wait for others holds no thread: crew_delay() keeps
 * it until they have released their claims.
 */
#ifndef FERRY_CLAIMS_H
#define FERRY_CLAIMS_H

#include "lib/core/job.h"

/*
 * True: the job has its claim. False: it is in the queue, and the end of its delay says that it has
 * been granted the claim. May be called again at any time.
 */
bool claim_acquire(struct ferry_job *job);
void claim_release(struct ferry_job *job);

/* A number that changes each time that a job that exchanges is granted its claim. */
uint64_t claim_generation(void);
/* True if a job that exchanges holds its claim now. */
bool claim_any(void);

/* Drops all claims in a forked child: the parent's jobs do not run there. */
void claim_forget_all(void);

#endif
