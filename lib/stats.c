// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "lib/internal.h"

void tally_add(struct tally *sum, const struct tally *part)
{
	sum->nr_moved += part->nr_moved;
	sum->nr_in_place += part->nr_in_place;
	sum->nr_failed += part->nr_failed;
	for (unsigned int i = 0; i < FERRY_NR_MOVERS; i++)
		sum->pages_by_mover[i] += part->pages_by_mover[i];
	for (unsigned int i = 0; i < FERRY_NR_REASONS; i++)
		sum->pages_by_reason[i] += part->pages_by_reason[i];
	sum->bytes_by_engine += part->bytes_by_engine;
	sum->bytes_by_cpu += part->bytes_by_cpu;
	sum->nr_calls += part->nr_calls;
	sum->nr_chunks += part->nr_chunks;
	sum->worker_cpu_ns += part->worker_cpu_ns;
	sum->max_out_ns = MAX(sum->max_out_ns, part->max_out_ns);
	if (part->first_ns && (!sum->first_ns || part->first_ns < sum->first_ns))
		sum->first_ns = part->first_ns;
	sum->nr_frames_made += part->nr_frames_made;
}

void ferry_count(struct ferry *ferry, const struct tally *tally)
{
	futex_lock(&ferry->stats_lock);
	tally_add(&ferry->totals, tally);
	ferry->nr_jobs++;
	futex_unlock(&ferry->stats_lock);
}

static void count_pools(struct ferry *ferry, struct ferry_stats *stats)
{
	for (unsigned int node = 0; node < MAX_POOL_NODES; node++) {
		for (unsigned int huge = 0; huge < 2; huge++) {
			struct pool *pool = atomic_load(&ferry->pools[node][huge]);

			if (!pool)
				continue;
			futex_lock(&pool->lock);
			stats->nr_frames_freed += pool->nr_freed;
			stats->pool_bytes += pool->nr_resident * PAGE_BYTES;
			futex_unlock(&pool->lock);
		}
	}
}

int ferry_get_stats(struct ferry *ferry, struct ferry_stats *out)
{
	struct ferry_stats stats = {.size = out->size};
	const struct tally *totals = &ferry->totals;
	/* A child may have got the lock as a thread of the parent held it. */
	bool in_child = fork_is_parents(ferry);

	if (!out->size)
		return -EINVAL;
	if (!in_child)
		futex_lock(&ferry->stats_lock);
	stats.nr_calls = atomic_load(&ferry->nr_calls);
	stats.nr_jobs = ferry->nr_jobs;
	memcpy(stats.pages_by_mover, totals->pages_by_mover, sizeof(stats.pages_by_mover));
	memcpy(stats.pages_by_reason, totals->pages_by_reason, sizeof(stats.pages_by_reason));
	stats.nr_syscalls = totals->nr_calls;
	stats.nr_chunks = totals->nr_chunks;
	stats.bytes_by_engine = totals->bytes_by_engine;
	stats.bytes_by_cpu = totals->bytes_by_cpu;
	stats.worker_cpu_ns = totals->worker_cpu_ns;
	stats.max_out_ns = totals->max_out_ns;
	stats.nr_frames_made = totals->nr_frames_made;
	if (!in_child) {
		futex_unlock(&ferry->stats_lock);
		count_pools(ferry, &stats);
	}
	memcpy(out, &stats, MIN(out->size, sizeof(stats)));
	return 0;
}

int ferry_engine_counters(struct ferry *ferry,
			  void (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	if (!ferry || !fn)
		return -EINVAL;
	if (fork_is_parents(ferry))
		return -ECHILD;
	if (ferry->engine->ops->counters)
		ferry->engine->ops->counters(ferry->engine, fn, arg);
	return 0;
}
