// SPDX-License-Identifier: LGPL-2.1-or-later
/* Has the kernel check a process, flags and nodes without moving a page. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "lib/api/process.h"

bool process_is_own(int pid)
{
	char path[64];

	if (pid == 0 || pid == sys(SYS_getpid))
		return true;
	if (pid < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d", pid);
	return !sys(SYS_faccessat, AT_FDCWD, path, F_OK);
}

int process_check(int pid, int flags)
{
	return (int)sys_move_pages(pid, 0, NULL, NULL, NULL, flags);
}

/*
 * The nodes of this process's cpuset that have memory are good. This query is cheap, unlike
 * process_probe_node(): a call that may move a page first drains the per-CPU LRU batches of all
 * CPUs (lru_cache_disable()).
 */
static void process_add_own_nodes(uint64_t good[MAX_NODES / 64])
{
	if (sys(SYS_get_mempolicy, NULL, good, MAX_NODES, NULL, FERRY_MPOL_F_MEMS_ALLOWED) < 0)
		memset(good, 0, MAX_NODES / 8);
}

/* For an address that cannot exist the kernel checks the node, and goes no further. */
static int process_probe_node(int pid, int flags, int node)
{
	void *nowhere = (void *)~(PAGE_BYTES - 1);
	int status;
	long ret = sys_move_pages(pid, 1, &nowhere, &node, &status, flags);

	return ret < 0 ? (int)ret : 0;
}

uint64_t process_check_nodes(int pid, int flags, const int *nodes, uint64_t nr, int *error)
{
	uint64_t good[MAX_NODES / 64] = {0};

	*error = 0;
	if (process_is_own(pid))
		process_add_own_nodes(good);
	for (uint64_t i = 0; i < nr; i++) {
		int node = nodes[i];

		if (i && node == nodes[i - 1])
			continue;
		if (node < 0 || node >= MAX_NODES) {
			*error = -ENODEV;
			return i;
		}
		if (good[node / 64] >> (node % 64) & 1)
			continue;
		*error = process_probe_node(pid, flags, node);
		if (*error)
			return i;
		good[node / 64] |= 1ULL << (node % 64);
	}
	return nr;
}
