/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of two ways of doing a thing is the faster one here and now, learned from how long each
 * takes. Pure arithmetic; the caller has the clock.
 */
#ifndef FERRY_PACE_H
#define FERRY_PACE_H

#include "base/base.h"

/*
 * All-zero is one that has learned nothing and goes way 0. Now and then the other way is tried a
 * few times in a row; the first time does not count, for helpers that were left asleep need it to
 * wake.
 */
struct pace {
	unsigned int way;  /* 0 or 1 */
	uint64_t usual;    /* ns per MiB that way, running average; 0 unknown */
	uint64_t trial;    /* ns per MiB the other way, sum over the trial */
	uint32_t nr_trial; /* turns left of the trial, 0 none */
	uint32_t nr_left;  /* turns until the next trial */
	uint32_t gap;      /* between trials; grows while they change nothing */
};

unsigned int pace_choose(struct pace *pace);
void pace_note(struct pace *pace, unsigned int way, uint64_t bytes, uint64_t ns);

#endif
