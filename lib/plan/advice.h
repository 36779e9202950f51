/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the cost model makes of a plan. */
#ifndef FERRY_ADVICE_H
#define FERRY_ADVICE_H

#include "lib/core/job.h"

/*
 * Asks the cost model about the segments that the job exchanges, and gives them to the kernel mover
 * if that is cheaper and the request leaves the choice to the library.
 */
struct policy_advice plan_take_advice(struct ferry_job *job, const struct policy_load *load);

#endif
