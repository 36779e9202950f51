/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether sharing pays, learned from how long copies take: on a busy host helpers come late and
 * are waited for, on an idle one they multiply the rate. Pure arithmetic; the caller has the clock.
 */
#ifndef FERRY_PACE_H
#define FERRY_PACE_H

#include "base/base.h"

enum pace_way { PACE_SHARED, PACE_ALONE, NR_PACE_WAYS };

/* All-zero is one that has learned nothing and shares. */
struct pace {
	uint64_t ns_per_mib[NR_PACE_WAYS]; /* running averages; 0 unknown */
	uint32_t nr_left;                  /* copies until the worse way is tried again */
	uint32_t gap;                      /* that many next time */
};

enum pace_way pace_choose(struct pace *pace);
void pace_note(struct pace *pace, enum pace_way way, uint64_t bytes, uint64_t ns);

#endif
