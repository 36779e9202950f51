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

bool spread_claim(struct spread *spread, int cpu)
{
	unsigned char nobody = 0;

	return atomic_compare_exchange_strong_explicit(&spread->users[cpu], &nobody, 1,
						       memory_order_relaxed, memory_order_relaxed);
}

/* The place's own CPU if nobody works there, else another of its domain; -1: all are taken. */
static int claim_any(struct spread *spread, const struct place *place)
{
	if (spread_claim(spread, place->cpu))
		return place->cpu;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &place->cpus) && spread_claim(spread, cpu))
			return cpu;
	return -1;
}

bool spread_bind(int cpu)
{
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	return !sys(SYS_sched_setaffinity, 0, sizeof(only), &only);
}

void spread_unbind(const struct place *place)
{
	sys(SYS_sched_setaffinity, 0, sizeof(place->cpus), &place->cpus);
}

int spread_enter_free(struct spread *spread, const struct place *place)
{
	int cpu = sched_getcpu();
	int other;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return -1;
	if (spread_claim(spread, cpu))
		return cpu;
	other = claim_any(spread, place);
	if (other < 0)
		return spread_enter(spread);
	spread_bind(other);
	spread_unbind(place);
	return other;
}
