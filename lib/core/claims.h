/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Claims: jobs of the process whose pages overlap don't run at once if one of them exchanges. A
 * job that finds others in its way waits in line, without a thread: it is delayed (crew_delay)
 * until the last of them releases its claim.
 */
#ifndef FERRY_CLAIMS_H
#define FERRY_CLAIMS_H

#include "lib/core/job.h"

/* True: the job has its claim. False: it is in line. May be asked again at any time. */
bool claim_acquire(struct ferry_job *job);
void claim_release(struct ferry_job *job);

/* Changes whenever a job that exchanges gets its claim. */
uint64_t claim_generation(void);
/* Has a job that exchanges its claim just now? */
bool claim_any(void);

/* In a forked child: no job of the parent's is in its way. */
void claims_forget(void);

#endif
