// SPDX-License-Identifier: LGPL-2.1-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crew/placement.h"
#include "crew/quota.h"

static struct placement *open_synthetic(const char *description)
{
	struct placement *placement;

	cr_assert_eq(placement_open(description, &placement), 0, "%s", description);
	cr_assert(!placement->this_system);
	return placement;
}

/* The number of L3 domains of the first nr_places places. */
static unsigned int count_l3(const struct placement *placement, unsigned int nr_places)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < nr_places; i++) {
		bool seen = false;

		for (unsigned int j = 0; j < i; j++)
			seen |= placement->places[j].l3 == placement->places[i].l3;
		nr += !seen;
	}
	return nr;
}

static void check_cpus_differ(const struct placement *placement)
{
	cpu_set_t seen;

	CPU_ZERO(&seen);
	for (unsigned int i = 0; i < placement->nr_places; i++) {
		const struct place *place = &placement->places[i];

		cr_assert(!CPU_ISSET(place->cpu, &seen));
		CPU_SET(place->cpu, &seen);
		cr_assert(CPU_ISSET(place->cpu, &place->cpus));
	}
}

Test(placement, zen5_one_per_ccd_first)
{
	struct placement *placement = open_synthetic("pack:1 numa:1 l3:16 core:8 pu:2");

	cr_assert_eq(placement->nr_places, 256);
	cr_assert_eq(placement->nr_l3, 16);
	cr_assert_eq(placement->nr_cores, 128);
	cr_assert_eq(count_l3(placement, 16), 16);
	for (unsigned int i = 0; i < 128; i++)
		cr_assert_eq(placement->places[i].smt, 0);
	for (unsigned int i = 128; i < 256; i++)
		cr_assert_eq(placement->places[i].smt, 1);
	for (unsigned int i = 0; i < 256; i++)
		cr_assert_eq(CPU_COUNT(&placement->places[i].cpus), 16);
	check_cpus_differ(placement);
	placement_close(placement);
}

Test(placement, two_sockets_take_turns)
{
	struct placement *placement = open_synthetic("pack:2 numa:1 l3:8 core:8 pu:2");

	for (unsigned int i = 0; i < 16; i++)
		cr_assert_eq(placement->places[i].node, (int)(i % 2));
	cr_assert_eq(count_l3(placement, 16), 16);
	placement_close(placement);
}

Test(placement, sub_numa_clusters_are_domains)
{
	static const char *const forms[] = {"pack:2 l3:1 numa:2 core:12 pu:2",
					    "pack:2 numa:2 l3:1 core:12 pu:2"};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct placement *placement = open_synthetic(forms[i]);

		cr_assert_eq(placement->nr_places, 96);
		cr_assert_eq(placement->nr_l3, 4);
		cr_assert_eq(count_l3(placement, 4), 4);
		for (unsigned int j = 0; j < 4; j++)
			for (unsigned int k = 0; k < j; k++)
				cr_assert_neq(placement->places[j].node, placement->places[k].node);
		check_cpus_differ(placement);
		placement_close(placement);
	}
}

Test(placement, grace_is_one_domain)
{
	struct placement *placement = open_synthetic("pack:1 numa:1 l3:1 core:72 pu:1");

	cr_assert_eq(placement->nr_places, 72);
	cr_assert_eq(placement->nr_l3, 1);
	cr_assert_eq(CPU_COUNT(&placement->places[0].cpus), 72);
	placement_close(placement);
}

Test(placement, small_vm)
{
	struct placement *placement = open_synthetic("numa:1 l3:1 core:4 pu:1");

	cr_assert_eq(placement->nr_places, 4);
	cr_assert_eq(placement->nr_l3, 1);
	cr_assert_eq(placement->nr_cores, 4);
	placement_close(placement);
}

Test(placement, without_l3_the_package_is_the_domain)
{
	struct placement *placement = open_synthetic("pack:2 core:4 pu:2");

	cr_assert_eq(placement->nr_l3, 2);
	cr_assert_eq(count_l3(placement, 2), 2);
	cr_assert_eq(CPU_COUNT(&placement->places[0].cpus), 8);
	placement_close(placement);

	placement = open_synthetic("pu:4");
	cr_assert_eq(placement->nr_l3, 1);
	cr_assert_eq(placement->nr_places, 4);
	placement_close(placement);
}

Test(placement, bad_description)
{
	struct placement *placement;

	cr_assert_eq(placement_open("three sockets", &placement), -EINVAL);
	placement_close(NULL);
}

Test(placement, this_machine_within_the_affinity_mask)
{
	struct placement *placement;
	cpu_set_t mine, one;
	int first = 0;

	cr_assert_eq(sched_getaffinity(0, sizeof(mine), &mine), 0);
	cr_assert_eq(placement_open(NULL, &placement), 0);
	cr_assert(placement->this_system);
	cr_assert_leq(placement->nr_places, (unsigned int)CPU_COUNT(&mine));
	for (unsigned int i = 0; i < placement->nr_places; i++)
		cr_assert(CPU_ISSET(placement->places[i].cpu, &mine));
	placement_close(placement);

	while (!CPU_ISSET(first, &mine))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	cr_assert_eq(placement_open(NULL, &placement), 0);
	cr_assert_eq(placement->nr_places, 1);
	cr_assert_eq(placement->places[0].cpu, first);
	cr_assert(CPU_EQUAL(&placement->places[0].cpus, &one));
	placement_close(placement);
}

/* The test's own /proc and /sys. */
static char root[64];

static void write_file(const char *path, const char *text)
{
	char full[256];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = full + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	file = fopen(full, "w");
	cr_assert_not_null(file, "%s", full);
	fputs(text, file);
	fclose(file);
}

static void root_open(void)
{
	snprintf(root, sizeof(root), "/tmp/ferry-quota-XXXXXX");
	cr_assert_not_null(mkdtemp(root));
}

static void root_close(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	cr_assert_eq(system(command), 0);
}

TestSuite(quota, .init = root_open, .fini = root_close);

Test(quota, nothing_there_is_no_limit)
{
	cr_assert_eq(cgroup_quota_cpus(root), 0);
	write_file("/proc/self/cgroup", "0::/gone/away\n");
	cr_assert_eq(cgroup_quota_cpus(root), 0);
}

Test(quota, v2_tightest_of_all_ancestors)
{
	write_file("/proc/self/cgroup", "0::/outer/inner\n");
	write_file("/sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
	cr_assert_eq(cgroup_quota_cpus(root), 0);
	write_file("/sys/fs/cgroup/outer/cpu.max", "250000 100000\n");
	cr_assert_eq(cgroup_quota_cpus(root), 3, "rounded up");
	write_file("/sys/fs/cgroup/outer/inner/cpu.max", "800000 100000\n");
	cr_assert_eq(cgroup_quota_cpus(root), 3, "the outer limit is tighter");
	write_file("/sys/fs/cgroup/outer/inner/cpu.max", "50000 100000\n");
	cr_assert_eq(cgroup_quota_cpus(root), 1);
}

Test(quota, v2_below_a_container_mount)
{
	write_file("/proc/self/cgroup", "0::/docker/abc\n");
	write_file("/sys/fs/cgroup/cpu.max", "200000 100000\n");
	cr_assert_eq(cgroup_quota_cpus(root), 2);
}

Test(quota, v1)
{
	write_file("/proc/self/cgroup", "4:memory:/x\n3:cpuset:/x\n2:cpu,cpuacct:/x\n0::/\n");
	write_file("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "-1\n");
	write_file("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
	cr_assert_eq(cgroup_quota_cpus(root), 0);
	write_file("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "400000\n");
	cr_assert_eq(cgroup_quota_cpus(root), 4);
	write_file("/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "150000\n");
	write_file("/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
	cr_assert_eq(cgroup_quota_cpus(root), 2);
}

Test(quota, nonsense_is_no_limit)
{
	write_file("/proc/self/cgroup", "\n:\nx:y\n0::\n0::/a\n");
	write_file("/sys/fs/cgroup/a/cpu.max", "many few\n");
	cr_assert_eq(cgroup_quota_cpus(root), 0);
	write_file("/sys/fs/cgroup/a/cpu.max", "100000 0\n");
	cr_assert_eq(cgroup_quota_cpus(root), 0);
	write_file("/sys/fs/cgroup/a/cpu.max", "-5 100000\n");
	cr_assert_eq(cgroup_quota_cpus(root), 0);
}
