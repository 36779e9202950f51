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

static bool claim(atomic_uchar *count)
{
	unsigned char nobody = 0;

	return atomic_compare_exchange_strong_explicit(count, &nobody, 1, memory_order_relaxed,
						       memory_order_relaxed);
}

bool spread_claim(struct spread *spread, int cpu)
{
	return claim(&spread->users[cpu]);
}

/* `first` if nobody has it, else another CPU of the place; -1: all are taken. */
static int claim_any(atomic_uchar *counts, const struct place *place, int first)
{
	if (claim(&counts[first]))
		return first;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &place->cpus) && claim(&counts[cpu]))
			return cpu;
	return -1;
}

static bool stay_on(int cpu)
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
	cpu = claim_any(spread->bound, place, cpu);
	if (cpu < 0 || stay_on(cpu))
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
	other = claim_any(spread->users, place, place->cpu);
	if (other < 0)
		return spread_enter(spread);
	stay_on(other);
	spread_allow(place, 0);
	return other;
}
