/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A log-linear histogram of 64-bit values: exact below 128, within 1/128 above. Adding allocates
 * nothing, so it can be done between two accesses to memory that is being moved.
 */
#ifndef MIGBENCH_HIST_H
#define MIGBENCH_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS   7
#define HIST_NR_BUCKETS ((64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t nr;
	uint64_t max;
	uint64_t buckets[HIST_NR_BUCKETS];
};

void hist_add(struct hist *hist, uint64_t value);
void hist_merge(struct hist *into, const struct hist *from);

/*
 * The smallest recorded value that at least this part (0 … 1) of all values does not exceed,
 * rounded up within its bucket, never above the maximum. 0 if there are none.
 */
uint64_t hist_quantile(const struct hist *hist, double part);

#endif
