// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which limits leave how much, on machines whose /proc and /sys are directories of the test. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "lib/nodes/memory_room.h"
#include "lib/nodes/nodes.h"

#define MIB 1048576UL
#define GIB (1024 * MIB)

static char root[64];
static struct rlimit limit_as, limit_data;

/* Absolute paths are below root. */
static bool kernel_stub(long nr, const long args[6], long *ret)
{
	char path[512];
	struct rlimit *out = (struct rlimit *)args[3];

	if (nr == SYS_prlimit64) {
		*out = args[1] == RLIMIT_AS ? limit_as : limit_data;
		*ret = 0;
		return true;
	}
	if (nr != SYS_openat)
		return false;
	snprintf(path, sizeof(path), "%s%s", root, (const char *)args[1]);
	*ret = sys_raw(nr, args[0], (long)path, args[2], args[3], 0, 0);
	return true;
}

static void put(const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", root, name);
	for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(path, 0700);
		*at = '/';
	}
	file = fopen(path, "w");
	cr_assert(file, "%s", path);
	fputs(text, file);
	fclose(file);
}

static void put_number(const char *name, uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu\n", number);
	put(name, text);
}

static void room_setup(void)
{
	strcpy(root, "/tmp/memory_room.XXXXXX");
	cr_assert(mkdtemp(root));
	limit_as = limit_data = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	/* 100 GiB, of which 50 are available; node 0 has 40 of 50. */
	put("/proc/meminfo", "MemTotal:       104857600 kB\nMemFree:         1048576 kB\n"
			     "MemAvailable:   52428800 kB\nCommitLimit:    20971520 kB\n"
			     "Committed_AS:   10485760 kB\n");
	put("/sys/devices/system/node/node0/meminfo",
	    "\nNode 0 MemTotal:       52428800 kB\nNode 0 MemFree:        41943040 kB\n");
	put("/proc/sys/vm/overcommit_memory", "0\n");
	put("/proc/self/statm", "262144 131072 1000 10 0 131072 0\n");
	__atomic_store_n(&sys_hook, kernel_stub, __ATOMIC_RELEASE);
}

static int remove_entry(const char *path, const struct stat *st __maybe_unused,
			int type __maybe_unused, struct FTW *ftw __maybe_unused)
{
	return remove(path);
}

static void room_teardown(void)
{
	__atomic_store_n(&sys_hook, NULL, __ATOMIC_RELEASE);
	nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(memory_room, .init = room_setup, .fini = room_teardown);

Test(memory_room, of_the_node_and_the_machine)
{
	cr_assert_eq(memory_room_bytes(0), 39 * GIB, "of the node, 1 GiB to spare");
	cr_assert_eq(memory_room_bytes(5), 49 * GIB, "of the machine");
	cr_assert_eq(memory_room_address_space(), UINT64_MAX);
}

Test(memory_room, nothing_is_known)
{
	nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	cr_assert_eq(memory_room_bytes(0), UINT64_MAX);
}

Test(memory_room, page_cache_is_available)
{
	uint64_t total, available;

	put("/sys/devices/system/node/node0/meminfo",
	    "\nNode 0 MemTotal:       52428800 kB\nNode 0 MemFree:         1048576 kB\n"
	    "Node 0 Active(file):   10485760 kB\nNode 0 Inactive(file): 20971520 kB\n"
	    "Node 0 Dirty:           1048576 kB\nNode 0 Writeback:       1048576 kB\n");
	cr_assert_eq(nodes_memory(0, &total, &available), 0);
	cr_assert_eq(total, 50 * GIB);
	cr_assert_eq(available, 29 * GIB - total / 64, "1 free, 30 of cache, 2 of them busy");
	cr_assert_gt(memory_room_bytes(0), 20 * GIB);
}

Test(memory_room, version_2)
{
	put("/proc/self/cgroup", "0::/app/worker\n");
	put("/sys/fs/cgroup/app/worker/memory.max", "max\n");
	put("/sys/fs/cgroup/app/worker/memory.high", "max\n");
	put_number("/sys/fs/cgroup/app/worker/memory.current", 900 * MIB);
	cr_assert_eq(memory_room_bytes(0), 39 * GIB, "no limit");
	put_number("/sys/fs/cgroup/app/worker/memory.max", 1600 * MIB);
	cr_assert_eq(memory_room_bytes(0), 600 * MIB, "100 to spare");
	put_number("/sys/fs/cgroup/app/worker/memory.high", 1040 * MIB);
	cr_assert_eq(memory_room_bytes(0), 75 * MIB, "high counts, too; 65 to spare");
	put_number("/sys/fs/cgroup/app/memory.max", 960 * MIB);
	put_number("/sys/fs/cgroup/app/memory.current", 890 * MIB);
	cr_assert_eq(memory_room_bytes(0), 10 * MIB, "the ancestor's counts, too; 60 to spare");
	put_number("/sys/fs/cgroup/app/memory.current", 950 * MIB);
	cr_assert_eq(memory_room_bytes(0), 0);
	put("/sys/fs/cgroup/app/memory.stat", "anon 1\ninactive_anon 7\nfile_dirty 5242880\n"
					      "file_writeback 5242880\ninactive_file 83886080\n");
	cr_assert_eq(memory_room_bytes(0), 20 * MIB, "80 of cache, 10 of them busy");
}

Test(memory_room, version_2_beside_version_1)
{
	put("/proc/self/cgroup", "4:memory:/\n0::/a\n");
	put_number("/sys/fs/cgroup/unified/a/memory.max", 100 * MIB);
	put_number("/sys/fs/cgroup/unified/a/memory.current", 50 * MIB);
	cr_assert_eq(memory_room_bytes(0), 42 * MIB, "8 to spare, at least");
}

/* The path of the group is the host's, but the mount is the container's own group. */
Test(memory_room, in_a_container)
{
	put("/proc/self/cgroup", "0::/../other/scope\n");
	put_number("/sys/fs/cgroup/memory.max", 160 * MIB);
	put_number("/sys/fs/cgroup/memory.current", 50 * MIB);
	cr_assert_eq(memory_room_bytes(0), 100 * MIB);
}

Test(memory_room, version_1)
{
	put("/proc/self/cgroup", "3:cpu,cpuacct:/x\n5:hugetlb,memory:/docker/0123\n");
	put("/sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes", "9223372036854771712\n");
	put("/sys/fs/cgroup/memory/docker/0123/memory.memsw.limit_in_bytes",
	    "9223372036854771712\n");
	cr_assert_eq(memory_room_bytes(0), 39 * GIB, "no limit");
	put_number("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", 1600 * MIB);
	put_number("/sys/fs/cgroup/memory/docker/memory.usage_in_bytes", 1500 * MIB);
	cr_assert_eq(memory_room_bytes(0), 0);
	put("/sys/fs/cgroup/memory/docker/memory.stat",
	    "inactive_file 1\ntotal_inactive_file 524288000\ntotal_dirty 0\n");
	cr_assert_eq(memory_room_bytes(0), 500 * MIB);
	put_number("/sys/fs/cgroup/memory/docker/memory.memsw.limit_in_bytes", 1600 * MIB);
	put_number("/sys/fs/cgroup/memory/docker/memory.memsw.usage_in_bytes", 1990 * MIB);
	cr_assert_eq(memory_room_bytes(0), 10 * MIB, "memory and swap together");
}

/* statm says 1 GiB of address space and 512 MiB of data. */
Test(memory_room, resource_limits)
{
	limit_data.rlim_cur = 800 * MIB;
	cr_assert_eq(memory_room_bytes(0), 238 * MIB);
	limit_as.rlim_cur = 1200 * MIB;
	cr_assert_eq(memory_room_bytes(0), 101 * MIB);
	cr_assert_eq(memory_room_address_space(), 101 * MIB);
	limit_as.rlim_cur = 10 * MIB;
	cr_assert_eq(memory_room_bytes(0), 0);
}

Test(memory_room, commit_limit)
{
	put("/proc/sys/vm/overcommit_memory", "2\n");
	cr_assert_eq(memory_room_bytes(0), 9 * GIB);
}
