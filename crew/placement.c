// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hwloc.h>

#include "base/sys.h"
#include "crew/placement.h"
#include "crew/quota.h"

/* A place with its sort keys: places of smaller rank come first. */
struct candidate {
	struct place place;
	unsigned int core_rank; /* of the core in its L3 domain */
	unsigned int l3_rank;   /* of the L3 domain in its package */
	unsigned int package;
};

/*
 * In a chroot without sysfs hwloc would complain on stderr, and then know no more than the number
 * of CPUs.
 */
static bool sysfs_is_missing(char *cpus, size_t cpus_bytes)
{
	if (!sys(SYS_faccessat, AT_FDCWD, "/sys/devices/system/cpu/cpu0", F_OK))
		return false;
	snprintf(cpus, cpus_bytes, "pu:%ld", MAX(1L, sysconf(_SC_NPROCESSORS_CONF)));
	return true;
}

/* Without I/O devices: their discovery would take most of the time. */
static int topology_load(const char *synthetic, hwloc_topology_t *out)
{
	static const hwloc_obj_type_t kept[] = {HWLOC_OBJ_PACKAGE, HWLOC_OBJ_L3CACHE,
						HWLOC_OBJ_CORE};
	hwloc_topology_t topology;
	int err = -ENODEV;
	char cpus[32];

	if (!synthetic && sysfs_is_missing(cpus, sizeof(cpus)))
		synthetic = cpus;
	if (hwloc_topology_init(&topology))
		return -ENOMEM;
	hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
	/* Groups keep the PUs of a node together if the node is a part of an L3. */
	hwloc_topology_set_type_filter(topology, HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		hwloc_topology_set_type_filter(topology, kept[i], HWLOC_TYPE_FILTER_KEEP_ALL);
	hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING |
						   HWLOC_TOPOLOGY_FLAG_NO_DISTANCES |
						   HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS |
						   HWLOC_TOPOLOGY_FLAG_NO_CPUKINDS);
	if (synthetic && hwloc_topology_set_synthetic(topology, synthetic)) {
		err = -EINVAL;
		goto destroy;
	}
	if (hwloc_topology_load(topology))
		goto destroy;
	*out = topology;
	return 0;
destroy:
	hwloc_topology_destroy(topology);
	return err;
}

/*
 * The calling thread's affinity mask. A kernel built for more CPUs than a cpu_set_t holds fails
 * with EINVAL unless the buffer is larger.
 */
static int affinity_cpus(bool this_system, cpu_set_t *out)
{
	unsigned long mask[8192 / (8 * sizeof(long))] = {0};
	long len;

	if (!this_system) {
		memset(out, 0xff, sizeof(*out));
		return 0;
	}
	len = sys(SYS_sched_getaffinity, 0, sizeof(mask), mask);
	if (len < 0)
		return -ENODEV;
	memcpy(out, mask, sizeof(*out));
	return 0;
}

static hwloc_obj_t pu_ancestor(hwloc_topology_t topology, hwloc_obj_type_t type, hwloc_obj_t pu)
{
	return hwloc_get_ancestor_obj_by_type(topology, type, pu);
}

/* The node that is local to this PU; the first (DRAM) if there are several kinds of memory. */
static int pu_node(hwloc_topology_t topology, hwloc_obj_t pu)
{
	hwloc_obj_t node = NULL;

	while ((node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)))
		if (hwloc_bitmap_isset(node->cpuset, pu->os_index))
			return (int)node->os_index;
	return -1;
}

/* The state of a walk over all PUs in topology order, in which the PUs of a domain are adjacent. */
struct walk {
	hwloc_obj_t package, l3, core;
	int node;
	int nr_l3, nr_cores;
	unsigned int l3_rank, core_rank;
	int smt;
};

/*
 * An L3 domain is the set of PUs that share an L3 and a node. With sub-NUMA clustering one L3 spans
 * several nodes, each with its own memory controllers. Without an L3 it is the set of PUs that
 * share a package and a node.
 */
static void walk_step(struct walk *walk, hwloc_topology_t topology, hwloc_obj_t pu)
{
	hwloc_obj_t package = pu_ancestor(topology, HWLOC_OBJ_PACKAGE, pu);
	hwloc_obj_t l3 = pu_ancestor(topology, HWLOC_OBJ_L3CACHE, pu);
	hwloc_obj_t core = pu_ancestor(topology, HWLOC_OBJ_CORE, pu);
	int node = pu_node(topology, pu);
	bool first = !walk->nr_cores;
	bool new_package = first || package != walk->package;
	bool new_l3 = new_package || l3 != walk->l3 || node != walk->node;

	if (new_package)
		walk->l3_rank = 0;
	else if (new_l3)
		walk->l3_rank++;
	if (new_l3) {
		walk->nr_l3++;
		walk->core_rank = 0;
	}
	if (new_l3 || !core || core != walk->core) {
		walk->core_rank += !new_l3;
		walk->nr_cores++;
		walk->smt = 0;
	} else {
		walk->smt++;
	}
	walk->package = package;
	walk->l3 = l3;
	walk->core = core;
	walk->node = node;
}

static unsigned int candidates_collect(hwloc_topology_t topology, const cpu_set_t *allowed,
				       struct candidate *candidates, struct walk *walk)
{
	hwloc_obj_t pu = NULL;
	unsigned int nr = 0;

	while (nr < PLACEMENT_MAX &&
	       (pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu))) {
		struct candidate *candidate = &candidates[nr];

		if (pu->os_index >= CPU_SETSIZE || !CPU_ISSET(pu->os_index, allowed))
			continue;
		walk_step(walk, topology, pu);
		candidate->place.cpu = (int)pu->os_index;
		candidate->place.core = walk->nr_cores - 1;
		candidate->place.l3 = walk->nr_l3 - 1;
		candidate->place.node = walk->node;
		candidate->place.smt = walk->smt;
		candidate->core_rank = walk->core_rank;
		candidate->l3_rank = walk->l3_rank;
		candidate->package = walk->package ? walk->package->logical_index : 0;
		nr++;
	}
	return nr;
}

/* Sets each place's cpus to the PUs of its domain, which are adjacent in the array. */
static void candidates_fill_cpus(struct candidate *candidates, unsigned int nr)
{
	for (unsigned int start = 0, end; start < nr; start = end) {
		cpu_set_t cpus;

		CPU_ZERO(&cpus);
		for (end = start; end < nr; end++) {
			if (candidates[end].place.l3 != candidates[start].place.l3)
				break;
			CPU_SET(candidates[end].place.cpu, &cpus);
		}
		for (unsigned int i = start; i < end; i++)
			candidates[i].place.cpus = cpus;
	}
}

static int compare_candidates(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->place.smt != b->place.smt)
		return a->place.smt < b->place.smt ? -1 : 1;
	if (a->core_rank != b->core_rank)
		return a->core_rank < b->core_rank ? -1 : 1;
	if (a->l3_rank != b->l3_rank)
		return a->l3_rank < b->l3_rank ? -1 : 1;
	if (a->package != b->package)
		return a->package < b->package ? -1 : 1;
	return a->place.cpu - b->place.cpu;
}

static int placement_build(hwloc_topology_t topology, struct candidate *candidates,
			   struct placement **out)
{
	bool this_system = hwloc_topology_is_thissystem(topology);
	unsigned int quota = this_system ? cgroup_quota_cpus("") : 0;
	struct placement *placement;
	struct walk walk = {.node = -1};
	cpu_set_t allowed;
	unsigned int nr;
	int err;

	err = affinity_cpus(this_system, &allowed);
	if (err)
		return err;
	nr = candidates_collect(topology, &allowed, candidates, &walk);
	if (!nr)
		return -ENODEV;
	candidates_fill_cpus(candidates, nr);
	qsort(candidates, nr, sizeof(*candidates), compare_candidates);
	if (quota)
		nr = MIN(nr, quota);

	placement = malloc(sizeof(*placement) + nr * sizeof(placement->places[0]));
	if (!placement)
		return -ENOMEM;
	placement->nr_places = nr;
	placement->nr_l3 = (unsigned int)walk.nr_l3;
	placement->nr_cores = (unsigned int)walk.nr_cores;
	placement->quota_cpus = quota;
	placement->this_system = this_system;
	for (unsigned int i = 0; i < nr; i++)
		placement->places[i] = candidates[i].place;
	*out = placement;
	return 0;
}

int placement_open(const char *synthetic, struct placement **out)
{
	struct candidate *candidates;
	hwloc_topology_t topology;
	int err;

	candidates = calloc(PLACEMENT_MAX, sizeof(*candidates));
	if (!candidates)
		return -ENOMEM;
	err = topology_load(synthetic, &topology);
	if (!err) {
		err = placement_build(topology, candidates, out);
		hwloc_topology_destroy(topology);
	}
	free(candidates);
	return err;
}

void placement_close(struct placement *placement)
{
	free(placement);
}
