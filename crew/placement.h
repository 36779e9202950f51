/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where worker threads should run: pure arithmetic over an hwloc topology.
 *
 * One per L3 domain (CCD) first, then further cores, SMT siblings last; never outside the cpuset of
 * the process and never more than the cgroup's cpu.max quota pays for.
 */
#ifndef FERRY_PLACEMENT_H
#define FERRY_PLACEMENT_H

#include <sched.h>

#include "base/base.h"

#define PLACEMENT_MAX 1024

struct place {
	int cpu;        /* the PU this worker is meant for (OS index) */
	int core;       /* logical index of its core */
	int l3;         /* logical index of its L3 domain; 0.. */
	int node;       /* OS number of its NUMA node, -1 unknown */
	int smt;        /* 0 first thread of its core, 1 second … */
	cpu_set_t cpus; /* what the worker is bound to: the allowed PUs of its L3 domain */
};

struct placement {
	unsigned int nr_places;
	unsigned int nr_l3;
	unsigned int nr_cores;
	unsigned int quota_cpus; /* CPUs that cpu.max pays for, rounded up; 0 no limit */
	bool this_system;        /* false for synthetic topologies: never bind */
	struct place places[];   /* in the order workers should be started */
};

/*
 * synthetic: an hwloc synthetic description ("pack:2 l3:8 core:8 pu:2"), or NULL for this machine
 * within the calling thread's affinity mask and the cgroup quota. 0, -EINVAL bad description,
 * -ENOMEM, -ENODEV.
 */
int __must_check placement_open(const char *synthetic, struct placement **out);
void placement_close(struct placement *placement);

#endif
