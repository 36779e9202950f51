// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/futex.h"
#include "cli/calibrate/spinners.h"
#include "cli/common/common.h"

/* How long the first thread computes undisturbed, to know its speed. */
#define BASE_NS (2 * NS_PER_MS)

enum { SPIN, PAUSE, STOP };

struct spinner {
	struct spinners *spinners;
	pthread_t thread;
	int cpu; /* -1: any */
	__cacheline_aligned atomic_ulong turns;
};

struct spinners {
	cpu_set_t before; /* where the caller could run */
	double turns_per_ns;
	unsigned long marked_turns;
	uint64_t marked_ns;
	atomic_uint todo, nr_running; /* todo: futex */
	unsigned int nr;
	struct spinner v[];
};

static void pin_to(int cpu)
{
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	if (cpu >= 0)
		sched_setaffinity(0, sizeof(only), &only);
}

static void *spinner_main(void *arg)
{
	struct spinner *self = arg;
	struct spinners *spinners = self->spinners;
	unsigned long turns = 0;

	pin_to(self->cpu);
	atomic_fetch_add(&spinners->nr_running, 1);
	while (atomic_load_explicit(&spinners->todo, memory_order_relaxed) == SPIN)
		atomic_store_explicit(&self->turns, ++turns, memory_order_relaxed);
	atomic_fetch_sub(&spinners->nr_running, 1);
	while (atomic_load(&spinners->todo) == PAUSE)
		futex_wait(&spinners->todo, PAUSE, FUTEX_FOREVER);
	return NULL;
}

static void spinners_tell(struct spinners *spinners, unsigned int todo)
{
	atomic_store(&spinners->todo, todo);
	futex_wake(&spinners->todo, UINT_MAX);
}

static void spinners_wait(struct spinners *spinners, unsigned int nr_running)
{
	while (atomic_load(&spinners->nr_running) != nr_running)
		sched_yield();
}

static void spinners_mark_now(struct spinners *spinners)
{
	spinners->marked_turns = atomic_load(&spinners->v[0].turns);
	spinners->marked_ns = now_ns();
}

int spinners_start(const struct placement *placement, unsigned int nr, struct spinners **out)
{
	struct spinners *spinners =
		aligned_alloc(CACHELINE, ALIGN_UP(sizeof(*spinners) + nr * sizeof(spinners->v[0]),
						  (size_t)CACHELINE));
	int err = 0;

	if (!spinners)
		return -ENOMEM;
	*spinners = (struct spinners){.nr = 0};
	sched_getaffinity(0, sizeof(spinners->before), &spinners->before);
	pin_to(placement->this_system ? placement->places[0].cpu : -1);
	while (spinners->nr < nr && !err) {
		struct spinner *spinner = &spinners->v[spinners->nr];

		*spinner = (struct spinner){
			.spinners = spinners,
			.cpu = placement->this_system ? placement->places[spinners->nr + 1].cpu
						      : -1,
		};
		err = -pthread_create(&spinner->thread, NULL, spinner_main, spinner);
		spinners->nr += !err;
	}
	if (err)
		spinners_stop(spinners);
	else
		spinners_wait(spinners, nr);
	*out = spinners;
	return err;
}

void spinners_mark(struct spinners *spinners)
{
	uint64_t ns;

	spinners_mark_now(spinners);
	do
		ns = now_ns() - spinners->marked_ns;
	while (ns < BASE_NS);
	spinners->turns_per_ns =
		(double)(atomic_load(&spinners->v[0].turns) - spinners->marked_turns) / (double)ns;
	spinners_mark_now(spinners);
}

double spinners_lost_ns(struct spinners *spinners)
{
	double turns = (double)(atomic_load(&spinners->v[0].turns) - spinners->marked_turns);
	double ns = (double)(now_ns() - spinners->marked_ns);

	return spinners->turns_per_ns > 0 ? ns - turns / spinners->turns_per_ns : 0;
}

void spinners_pause(struct spinners *spinners)
{
	spinners_tell(spinners, PAUSE);
	spinners_wait(spinners, 0);
}

void spinners_stop(struct spinners *spinners)
{
	spinners_tell(spinners, STOP);
	for (unsigned int i = 0; i < spinners->nr; i++)
		pthread_join(spinners->v[i].thread, NULL);
	sched_setaffinity(0, sizeof(spinners->before), &spinners->before);
	free(spinners);
}
