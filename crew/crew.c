// SPDX-License-Identifier: LGPL-2.1-or-later
/* Opens and closes the crew, and answers queries about it. */
#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/vault.h"
#include "crew/internal.h"

#define DEFAULT_WORKERS 16

static unsigned int placement_nr_cpus(const struct placement *placement)
{
	unsigned int nr;
	cpu_set_t all;

	CPU_ZERO(&all);
	for (unsigned int i = 0; i < placement->nr_places; i++)
		CPU_OR(&all, &all, &placement->places[i].cpus);
	nr = (unsigned int)CPU_COUNT(&all);
	return placement->quota_cpus ? MIN(nr, placement->quota_cpus) : nr;
}

static int worker_start(struct worker *worker)
{
	int err = thread_start(&worker->thread, crew_worker_main, worker);

	if (!err)
		pthread_getcpuclockid(worker->thread.id, &worker->cpu_clock);
	return err;
}

int crew_open(const struct placement *placement, unsigned int nr_workers, struct crew **out)
{
	struct crew *crew;
	size_t len_bytes;
	int err = 0;

	if (!nr_workers)
		nr_workers = DEFAULT_WORKERS;
	nr_workers = MIN(nr_workers, placement->nr_places);
	len_bytes = sizeof(*crew) + nr_workers * sizeof(crew->workers[0]);
	if (vault_alloc(len_bytes, (void **)&crew))
		return -ENOMEM;
	crew->len_bytes = len_bytes;
	crew->nr_workers = nr_workers;
	crew->nr_cpus = placement_nr_cpus(placement);
	crew->bind = placement->this_system;
	atomic_init(&crew->nr_idle, nr_workers);

	for (unsigned int i = 0; i < nr_workers && !err; i++) {
		crew->workers[i].crew = crew;
		crew->workers[i].cpu = -1;
		atomic_init(&crew->workers[i].bound, -1);
		crew->workers[i].place = placement->places[i];
		err = worker_start(&crew->workers[i]);
	}
	if (err) {
		crew_close(crew);
		return err;
	}
	*out = crew;
	return 0;
}

void crew_close(struct crew *crew)
{
	if (!crew)
		return;
	futex_lock(&crew->lock);
	crew->closing = true;
	futex_unlock(&crew->lock);
	crew_announce(crew, UINT_MAX, ALL_SLEEPERS);
	for (unsigned int i = 0; i < crew->nr_workers; i++)
		thread_join(&crew->workers[i].thread);
	crew_forget(crew);
}

void crew_forget(struct crew *crew)
{
	if (!crew)
		return;
	for (unsigned int i = 0; i < crew->nr_workers; i++)
		thread_forget(&crew->workers[i].thread);
	vault_free(crew, crew->len_bytes);
}

void crew_boost(struct crew *crew)
{
	atomic_store(&crew->boost, true);
}

unsigned int crew_nr_workers(const struct crew *crew)
{
	return crew->nr_workers;
}

unsigned int crew_nr_cpus(const struct crew *crew)
{
	return crew->nr_cpus;
}

const struct place *crew_place(const struct crew *crew, unsigned int worker)
{
	return &crew->workers[worker].place;
}

uint64_t crew_cpu_ns(const struct crew *crew)
{
	uint64_t sum_ns = 0;

	for (unsigned int i = 0; i < crew->nr_workers; i++) {
		struct timespec ts = {0};

		if (!sys(SYS_clock_gettime, crew->workers[i].cpu_clock, &ts))
			sum_ns += (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
	}
	return sum_ns;
}

unsigned int crew_nr_idle(const struct crew *crew)
{
	return atomic_load_explicit(&crew->nr_idle, memory_order_relaxed);
}
