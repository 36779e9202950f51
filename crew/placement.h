/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where worker threads should run, computed from an hwloc topology.
 *
 * The first places are one core per L3 domain (CCD), then come further cores, then SMT siblings.
 * All places are inside the calling thread's affinity mask, and there are no more of them than the
 * cgroup's cpu.max quota allows CPUs.
 */
#ifndef FERRY_PLACEMENT_H
#define FERRY_PLACEMENT_H

#include <sched.h>

#include "base/base.h"

/* The most CPUs that are considered. */
#define PLACEMENT_MAX 1024

struct place {
	int cpu;        /* OS index of the preferred PU */
	int core;       /* index of its core among the allowed ones */
	int l3;         /* index of its L3 domain among the allowed ones */
	int node;       /* OS index of its NUMA node; -1: unknown */
	int smt;        /* 0: first thread of its core, 1: second ... */
	cpu_set_t cpus; /* the allowed PUs of its L3 domain, to which the worker is bound */
};

struct placement {
	unsigned int nr_places;
	unsigned int nr_l3;
	unsigned int nr_cores;
	unsigned int quota_cpus; /* cpu.max in CPUs, rounded up; 0: no limit */
	bool this_system;        /* false for a synthetic topology: threads must not be bound */
	struct place places[];   /* in the order in which workers are started */
};

/*
 * synthetic: an hwloc synthetic description ("pack:2 l3:8 core:8 pu:2"), which no affinity mask or
 * quota limits; NULL: this machine. The caller frees *out by placement_close(), which ignores NULL.
 * 0; -EINVAL: bad description; -ENODEV: the topology cannot be read, or has no allowed CPU;
 * -ENOMEM.
 */
int __must_check placement_open(const char *synthetic, struct placement **out);
void placement_close(struct placement *placement);

#endif
