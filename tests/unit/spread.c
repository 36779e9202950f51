// SPDX-License-Identifier: LGPL-2.1-or-later
#include <criterion/criterion.h>
#include <pthread.h>

#include "crew/spread.h"

static cpu_set_t allowed;
static struct spread spread;
static struct place place;

/* A place with all CPUs that this process may use, of which it prefers the last. */
static void setup(void)
{
	cr_assert_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	place.cpus = allowed;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			place.cpu = cpu;
}

TestSuite(spread, .init = setup);

static unsigned int nr_users(void)
{
	unsigned int nr = 0;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		nr += spread.users[cpu];
	return nr;
}

Test(spread, every_thread_gets_a_cpu_of_its_own_while_there_are_any)
{
	int nr_cpus = CPU_COUNT(&allowed);
	cpu_set_t now;

	for (int i = 0; i < nr_cpus; i++) {
		int cpu = spread_enter_free(&spread, &place);

		cr_assert(cpu >= 0 && CPU_ISSET(cpu, &allowed));
		cr_assert_eq(spread.users[cpu], 1);
	}
	cr_assert_geq(spread_enter_free(&spread, &place), 0, "then two threads share a CPU");
	cr_assert_eq(nr_users(), (unsigned int)nr_cpus + 1);
	sched_getaffinity(0, sizeof(now), &now);
	cr_assert(CPU_EQUAL(&now, &allowed), "the thread does not stay bound");
}

Test(spread, leaving_frees_the_cpu)
{
	int caller = spread_enter(&spread);
	int worker = spread_enter_free(&spread, &place);

	if (CPU_COUNT(&allowed) > 1)
		cr_assert_neq(caller, worker);
	spread_leave(&spread, caller);
	spread_leave(&spread, worker);
	spread_leave(&spread, -1);
	cr_assert_eq(nr_users(), 0);
}

/* Runs in a new thread for each CPU, because a thread cannot be bound twice. */
static void *bind_here(void *arg)
{
	*(int *)arg = spread_bind(&spread, &place, place.cpu);
	return NULL;
}

Test(spread, two_are_never_bound_to_one_cpu)
{
	int nr_cpus = CPU_COUNT(&allowed);
	cpu_set_t seen;

	CPU_ZERO(&seen);
	for (int i = 0; i <= nr_cpus; i++) {
		pthread_t thread;
		int cpu;

		cr_assert_eq(pthread_create(&thread, NULL, bind_here, &cpu), 0);
		pthread_join(thread, NULL);
		if (i == nr_cpus) {
			cr_assert_eq(cpu, -1, "no CPU is left");
			break;
		}
		cr_assert(cpu >= 0 && CPU_ISSET(cpu, &allowed) && !CPU_ISSET(cpu, &seen));
		CPU_SET(cpu, &seen);
	}
	spread_unbind(&spread, &place, place.cpu);
	cr_assert_eq(spread_bind(&spread, &place, place.cpu), place.cpu, "the CPU is free again");
	sched_getaffinity(0, sizeof(seen), &seen);
	cr_assert(CPU_COUNT(&seen) == 1 && CPU_ISSET(place.cpu, &seen));
	spread_unbind(&spread, &place, place.cpu);
	sched_getaffinity(0, sizeof(seen), &seen);
	cr_assert(CPU_EQUAL(&seen, &allowed));
}
