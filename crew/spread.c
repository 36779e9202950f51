// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/sys.h"
#include "crew/spread.h"

int spread_enter(struct spread *spread)
{
	int cpu = sched_getcpu();

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return -1;
	atomic_fetch_add_explicit(&spread->users[cpu], 1, memory_order_relaxed);
	return cpu;
}

void spread_leave(struct spread *spread, int cpu)
{
	if (cpu >= 0)
		atomic_fetch_sub_explicit(&spread->users[cpu], 1, memory_order_relaxed);
}

static bool counter_claim(atomic_uchar *count)
{
	unsigned char free = 0;

	return atomic_compare_exchange_strong_explicit(count, &free, 1, memory_order_relaxed,
						       memory_order_relaxed);
}

bool spread_claim(struct spread *spread, int cpu)
{
	return counter_claim(&spread->users[cpu]);
}

/* Claims `first` if it is free, otherwise another CPU of the place; -1 if all are taken. */
static int place_claim_cpu(atomic_uchar *counts, const struct place *place, int first)
{
	if (counter_claim(&counts[first]))
		return first;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &place->cpus) && counter_claim(&counts[cpu]))
			return cpu;
	return -1;
}

static bool bind_to_cpu(int cpu)
{
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	return !sys(SYS_sched_setaffinity, 0, sizeof(only), &only);
}

void spread_allow(const struct place *place, int tid)
{
	sys(SYS_sched_setaffinity, tid, sizeof(place->cpus), &place->cpus);
}

int spread_bind(struct spread *spread, const struct place *place, int cpu)
{
	cpu = place_claim_cpu(spread->bound, place, cpu);
	if (cpu < 0 || bind_to_cpu(cpu))
		return cpu;
	spread->bound[cpu]--;
	return -1;
}

void spread_unbind(struct spread *spread, const struct place *place, int cpu)
{
	spread->bound[cpu]--;
	spread_allow(place, 0);
}

int spread_enter_free(struct spread *spread, const struct place *place)
{
	int cpu = sched_getcpu();
	int other;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return -1;
	if (spread_claim(spread, cpu))
		return cpu;
	other = place_claim_cpu(spread->users, place, place->cpu);
	if (other < 0)
		return spread_enter(spread);
	bind_to_cpu(other);
	spread_allow(place, 0);
	return other;
}
