/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Learns which of two variants of an operation is faster on this machine, from the time that each
 * takes. Pure arithmetic: the caller measures the time.
 */
#ifndef FERRY_PACE_H
#define FERRY_PACE_H

#include "base/base.h"

/*
 * All-zero is the initial state: no samples, variant 0. At intervals a trial runs the other variant
 * a few times in a row. The first turn of a trial is not counted: sleeping helper threads wake
 * during it.
 */
struct pace {
	unsigned int variant;    /* the current choice, 0 or 1 */
	uint64_t ns_per_mib;     /* of that variant, running average; 0: no sample yet */
	uint64_t trial_sum;      /* ns per MiB of the other variant, summed over the trial */
	uint32_t nr_trial_turns; /* that are left of the trial; 0: no trial */
	uint32_t nr_turns;       /* until the next trial */
	uint32_t gap_turns;      /* between trials; doubles while trials change nothing */
};

/* The variant to run next. The caller serializes calls for one struct pace. */
unsigned int pace_choose(struct pace *pace);
/* Adds a sample: `variant` took ns for this many bytes. */
void pace_note(struct pace *pace, unsigned int variant, uint64_t bytes, uint64_t ns);

#endif
