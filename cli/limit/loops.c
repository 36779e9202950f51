// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/futex.h"
#include "cli/common/common.h"
#include "cli/limit/loops.h"

struct loop_thread {
	struct loops *loops;
	pthread_t thread;
	unsigned int index;
	int cpu; /* -1: not pinned */
	uint64_t start_ns, end_ns;
};

/* More than threads can be. */
#define ROUND_STEP 4096U

struct loops {
	struct loops_job job;
	unsigned int nr_active; /* threads of this round */
	bool closing;
	/*
	 * Futex of the threads: the number of the round, times ROUND_STEP, and how many threads
	 * work in it. A thread that wakes late must not take the number of another round.
	 */
	atomic_uint round;
	atomic_uint nr_ready; /* threads start together */
	atomic_uint nr_ended; /* futex of the caller */
	unsigned int nr_threads;
	struct loop_thread threads[];
};

static void loops_copy_share(const struct loops *loops, unsigned int index)
{
	const struct loops_job *job = &loops->job;
	size_t nr_folios = job->len_bytes / job->folio_bytes;
	size_t first = nr_folios * index / loops->nr_active;
	size_t end = nr_folios * (index + 1) / loops->nr_active;

	first *= job->folio_bytes;
	end *= job->folio_bytes;
	for (size_t at = first; at < end; at += job->piece_bytes)
		job->copy(job->dst + at, job->src + at, MIN(job->piece_bytes, end - at));
}

static void loop_thread_work(struct loop_thread *self)
{
	struct loops *loops = self->loops;

	atomic_fetch_add(&loops->nr_ready, 1);
	while (atomic_load(&loops->nr_ready) < loops->nr_active)
		cpu_relax();
	self->start_ns = now_ns();
	loops_copy_share(loops, self->index);
	self->end_ns = now_ns();
	if (atomic_fetch_add(&loops->nr_ended, 1) + 1 == loops->nr_active)
		futex_wake(&loops->nr_ended, 1);
}

static void *loop_thread_main(void *arg)
{
	struct loop_thread *self = arg;
	struct loops *loops = self->loops;
	unsigned int seen = 0;

	if (self->cpu >= 0) {
		cpu_set_t cpus;

		CPU_ZERO(&cpus);
		CPU_SET(self->cpu, &cpus);
		pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	}
	for (;;) {
		unsigned int round;

		while ((round = atomic_load(&loops->round)) == seen)
			futex_wait(&loops->round, seen, FUTEX_FOREVER);
		seen = round;
		if (loops->closing)
			return NULL;
		if (self->index < round % ROUND_STEP)
			loop_thread_work(self);
	}
}

static void loops_begin_round(struct loops *loops, unsigned int nr_threads)
{
	unsigned int number = atomic_load(&loops->round) / ROUND_STEP + 1;

	atomic_store(&loops->round, number * ROUND_STEP + nr_threads);
	futex_wake(&loops->round, UINT_MAX);
}

int loops_open(const struct placement *placement, struct loops **out)
{
	struct loops *loops =
		cli_alloc(1, sizeof(*loops) + placement->nr_places * sizeof(loops->threads[0]));

	for (unsigned int i = 0; i < placement->nr_places; i++) {
		struct loop_thread *thread = &loops->threads[i];

		thread->loops = loops;
		thread->index = i;
		thread->cpu = placement->this_system ? placement->places[i].cpu : -1;
		if (pthread_create(&thread->thread, NULL, loop_thread_main, thread)) {
			loops_close(loops);
			return -EAGAIN;
		}
		loops->nr_threads++;
	}
	*out = loops;
	return 0;
}

void loops_close(struct loops *loops)
{
	if (!loops)
		return;
	loops->closing = true;
	loops_begin_round(loops, 0);
	for (unsigned int i = 0; i < loops->nr_threads; i++)
		pthread_join(loops->threads[i].thread, NULL);
	free(loops);
}

unsigned int loops_nr_threads(const struct loops *loops)
{
	return loops->nr_threads;
}

uint64_t loops_run(struct loops *loops, const struct loops_job *job, unsigned int nr_threads)
{
	uint64_t start_ns = UINT64_MAX, end_ns = 0;
	unsigned int ended;

	loops->job = *job;
	loops->nr_active = nr_threads;
	atomic_store(&loops->nr_ready, 0);
	atomic_store(&loops->nr_ended, 0);
	loops_begin_round(loops, nr_threads);
	while ((ended = atomic_load(&loops->nr_ended)) < nr_threads)
		futex_wait(&loops->nr_ended, ended, FUTEX_FOREVER);

	for (unsigned int i = 0; i < nr_threads; i++) {
		start_ns = MIN(start_ns, loops->threads[i].start_ns);
		end_ns = MAX(end_ns, loops->threads[i].end_ns);
	}
	return end_ns - start_ns;
}
