// SPDX-License-Identifier: LGPL-2.1-or-later
/* The counters of a context and of its engine. */
#include <errno.h>
#include <string.h>

#include "lib/api/call.h"
#include "lib/api/fork.h"
#include "lib/core/context.h"

int ferry_get_stats(struct ferry *ferry, struct ferry_stats *out)
{
	struct ferry_stats stats = {.size = out->size};
	const struct tally *totals = &ferry->totals;
	/* In a child the lock may be held for ever, by a thread that only the parent has. */
	bool in_child = fork_is_copy(ferry);
	uint64_t signals;

	if (!out->size)
		return -EINVAL;
	signals = call_block_signals();
	if (!in_child)
		futex_lock(&ferry->stats_lock);
	stats.nr_calls = atomic_load(&ferry->nr_calls);
	stats.nr_jobs = ferry->nr_jobs;
	memcpy(stats.pages_by_mover, totals->pages_by_mover, sizeof(stats.pages_by_mover));
	memcpy(stats.pages_by_reason, totals->pages_by_reason, sizeof(stats.pages_by_reason));
	stats.nr_syscalls = totals->nr_syscalls;
	stats.nr_chunks = totals->nr_chunks;
	stats.bytes_by_engine = totals->bytes_by_engine;
	stats.bytes_by_cpu = totals->bytes_by_cpu;
	stats.worker_cpu_ns = totals->worker_cpu_ns;
	stats.max_stall_ns = totals->max_stall_ns;
	stats.nr_frames_allocated = totals->nr_frames_allocated;
	if (!in_child) {
		futex_unlock(&ferry->stats_lock);
		pools_count(&ferry->pools, &stats.pool_bytes, &stats.nr_frames_freed);
	}
	call_unblock_signals(signals);
	memcpy(out, &stats, MIN(out->size, sizeof(stats)));
	return 0;
}

int ferry_engine_counters(struct ferry *ferry,
			  void (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	if (!ferry || !fn)
		return -EINVAL;
	if (fork_is_copy(ferry))
		return -ECHILD;
	if (ferry->engine->ops->counters)
		ferry->engine->ops->counters(ferry->engine, fn, arg);
	return 0;
}
