// SPDX-License-Identifier: LGPL-2.1-or-later
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "crew/quota.h"

/* Reads up to two numbers and returns how many it read. "max" is not a number. */
static int read_numbers(const char *path, long long *first, long long *second)
{
	FILE *file = fopen(path, "re");
	int nr;

	if (!file)
		return 0;
	nr = fscanf(file, "%lld %lld", first, second);
	fclose(file);
	return nr;
}

/* A negative quota is no limit, in version 1. */
static unsigned int quota_to_cpus(long long quota_us, long long period_us)
{
	if (quota_us <= 0 || period_us <= 0 || quota_us / period_us >= INT_MAX)
		return 0;
	return (unsigned int)((quota_us + period_us - 1) / period_us);
}

static unsigned int cgroup_v2_limit(const char *dir)
{
	char path[PATH_MAX + 32];
	long long quota_us, period_us;

	snprintf(path, sizeof(path), "%s/cpu.max", dir);
	return read_numbers(path, &quota_us, &period_us) == 2 ? quota_to_cpus(quota_us, period_us)
							      : 0;
}

static unsigned int cgroup_v1_limit(const char *dir)
{
	char path[PATH_MAX + 32];
	long long quota_us, period_us, none;

	snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", dir);
	if (read_numbers(path, &quota_us, &none) < 1)
		return 0;
	snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", dir);
	return read_numbers(path, &period_us, &none) < 1 ? 0 : quota_to_cpus(quota_us, period_us);
}

static unsigned int tighter_limit(unsigned int a, unsigned int b)
{
	return !a ? b : !b ? a : MIN(a, b);
}

/*
 * The tightest limit of the group and its ancestors. In a container the group's path may not exist
 * below the mount; then only those of its ancestors count that do.
 */
static unsigned int cgroup_tightest_limit(const char *mount, const char *group,
					  unsigned int (*limit)(const char *))
{
	char dir[PATH_MAX];
	size_t mount_len = strlen(mount);
	unsigned int cpus = 0;

	if ((size_t)snprintf(dir, sizeof(dir), "%s%s", mount, group) >= sizeof(dir))
		return 0;
	for (;;) {
		char *slash;

		cpus = tighter_limit(cpus, limit(dir));
		slash = strrchr(dir, '/');
		if (!slash || (size_t)(slash - dir) < mount_len)
			return cpus;
		*slash = '\0';
	}
}

static bool list_has_controller(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (; *list; list += *list == ',') {
		size_t word = strcspn(list, ",");

		if (word == len && !memcmp(list, name, len))
			return true;
		list += word;
	}
	return false;
}

/* One line of /proc/self/cgroup: "hierarchy:controllers:group". */
static unsigned int cgroup_line_limit(const char *root, char *line)
{
	char *controllers = strchr(line, ':');
	char *group = controllers ? strchr(controllers + 1, ':') : NULL;
	char mount[PATH_MAX];
	unsigned int cpus;

	if (!group)
		return 0;
	*controllers++ = '\0';
	*group++ = '\0';
	group[strcspn(group, "\n")] = '\0';

	if (!*controllers) {
		snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup", root);
		cpus = cgroup_tightest_limit(mount, group, cgroup_v2_limit);
		snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/unified", root);
		return tighter_limit(cpus, cgroup_tightest_limit(mount, group, cgroup_v2_limit));
	}
	if (!list_has_controller(controllers, "cpu"))
		return 0;
	snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/cpu", root);
	cpus = cgroup_tightest_limit(mount, group, cgroup_v1_limit);
	snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/%s", root, controllers);
	return tighter_limit(cpus, cgroup_tightest_limit(mount, group, cgroup_v1_limit));
}

unsigned int cgroup_quota_cpus(const char *root)
{
	char path[PATH_MAX], line[PATH_MAX];
	unsigned int cpus = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		cpus = tighter_limit(cpus, cgroup_line_limit(root, line));
	fclose(file);
	return cpus;
}
