// SPDX-License-Identifier: LGPL-2.1-or-later
#include "lib/core/bandwidth.h"

#include "base/clock.h"

/*
 * Time that was not used is made up for, up to this much. Increasing this keeps the rate on
 * machines where workers wake late; decreasing it makes the rate more even.
 */
#define CATCH_UP_NS (10 * NS_PER_MS)

void bandwidth_take(struct bandwidth *bandwidth, uint64_t bytes, uint64_t now_ns)
{
	uint64_t due_ns = atomic_load(&bandwidth->due_ns), next_ns, cost_ns;

	if (!bandwidth->max_bytes_per_s)
		return;
	cost_ns = (uint64_t)((double)bytes / (double)bandwidth->max_bytes_per_s * NS_PER_SEC);
	do
		next_ns = MAX(due_ns, now_ns - MIN(now_ns, CATCH_UP_NS)) + cost_ns;
	while (!atomic_compare_exchange_weak(&bandwidth->due_ns, &due_ns, next_ns));
}

uint64_t bandwidth_until(struct bandwidth *bandwidth, uint64_t now_ns)
{
	uint64_t due_ns = bandwidth->max_bytes_per_s ? atomic_load(&bandwidth->due_ns) : 0;

	return due_ns > now_ns ? due_ns : 0;
}
