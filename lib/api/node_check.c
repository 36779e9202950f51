// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "lib/core/slice.h"
#include "lib/api/node_check.h"
#include "base/uapi.h"

/*
 * The nodes of our own cpuset that have memory are good. Asking for them is cheap, unlike the probe
 * below: every call that may move a page drains the page caches of all CPUs first.
 */
static void add_own_nodes(uint64_t good[MAX_NODES / 64])
{
	if (sys(SYS_get_mempolicy, NULL, good, MAX_NODES, NULL, FERRY_MPOL_F_MEMS_ALLOWED) < 0)
		memset(good, 0, MAX_NODES / 8);
}

/* Moving a page that cannot be there gets as far as the check of the node, and no further. */
static int probe(int pid, int flags, int node)
{
	void *nowhere = (void *)~(PAGE_BYTES - 1);
	int status;
	long ret = sys_move_pages(pid, 1, &nowhere, &node, &status, flags);

	return ret < 0 ? (int)ret : 0;
}

uint64_t nodecheck(int pid, int flags, const int *nodes, uint64_t nr, int *error)
{
	uint64_t good[MAX_NODES / 64] = {0};

	*error = 0;
	if (is_own_process(pid))
		add_own_nodes(good);
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
		*error = probe(pid, flags, node);
		if (*error)
			return i;
		good[node / 64] |= 1ULL << (node % 64);
	}
	return nr;
}

int process_check(int pid, int flags)
{
	return (int)sys_move_pages(pid, 0, NULL, NULL, NULL, flags);
}

bool is_own_process(int pid)
{
	char path[64];

	if (pid == 0 || pid == sys(SYS_getpid))
		return true;
	if (pid < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d", pid);
	return !sys(SYS_faccessat, AT_FDCWD, path, F_OK);
}
