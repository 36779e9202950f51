/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether sharing pays, learned from how long copies take: on a busy host helpers come late and
 * are waited for, on an idle one they multiply the rate. Pure arithmetic; the caller has the clock.
 */
#ifndef FERRY_PACE_H
#define FERRY_PACE_H

#include "base/base.h"

enum pace_way { PACE_SHARED, PACE_ALONE };

/*
 * All-zero is one that has learned nothing and shares. Now and then the other way is tried for a
 * few copies in a row: helpers that were left asleep need the first one to wake up.
 */
struct pace {
	enum pace_way way;
	uint64_t usual;    /* ns per MiB that way, running average; 0 unknown */
	uint64_t trial;    /* ns per MiB the other way, sum over the trial */
	uint32_t nr_trial; /* copies left of the trial, 0 none */
	uint32_t nr_left;  /* copies until the next trial */
	uint32_t gap;      /* between trials; grows while they change nothing */
};

enum pace_way pace_choose(struct pace *pace);
void pace_note(struct pace *pace, enum pace_way way, uint64_t bytes, uint64_t ns);

#endif
