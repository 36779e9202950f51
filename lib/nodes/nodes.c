// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reads from sysfs and /proc/vmstat what the machine says about its NUMA nodes. */
#include <errno.h>
#include <string.h>

#include "base/sys.h"
#include "base/text.h"
#include "lib/nodes/kernel_file.h"
#include "lib/nodes/nodes.h"

static void nodes_add(struct nodes *nodes, int node)
{
	if (node < 0 || node >= MAX_NODES || nodes_has(nodes, node))
		return;
	if (!nodes->nr_memory++)
		nodes->first_memory = node;
	nodes->memory[node / 64] |= 1ULL << (node % 64);
}

void nodes_read(struct nodes *nodes)
{
	char text[512];
	const char *p = text;

	memset(nodes, 0, sizeof(*nodes));
	if (kernel_file_read("/sys/devices/system/node/has_memory", text, sizeof(text)) <= 0)
		strcpy(text, "0");
	while (*p >= '0' && *p <= '9') {
		uint64_t first = text_read_number(&p), last = first;

		if (*p == '-' && p++)
			last = text_read_number(&p);
		for (uint64_t node = first; node <= last && node < MAX_NODES; node++)
			nodes_add(nodes, (int)node);
		if (*p == ',')
			p++;
	}
}

static uint64_t meminfo_bytes(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? text_number(at + strlen(name)) << 10 : 0;
}

/*
 * What new frames can be made of: free memory, and page cache that need not be written first. As
 * for MemAvailable, some of the page cache is taken to be in use.
 */
static uint64_t meminfo_available(const char *text, uint64_t total_bytes)
{
	uint64_t cache =
		meminfo_bytes(text, " Active(file):") + meminfo_bytes(text, " Inactive(file):");
	uint64_t busy = meminfo_bytes(text, " Dirty:") + meminfo_bytes(text, " Writeback:");

	cache -= MIN(cache, busy);
	cache -= MIN(cache / 2, total_bytes / 64);
	return meminfo_bytes(text, " MemFree:") + cache;
}

int nodes_memory(int node, uint64_t *total_bytes, uint64_t *available_bytes)
{
	char path[64] = "/sys/devices/system/node/node", text[4096];
	long len;

	text_add_number(path, sizeof(path), (uint64_t)node);
	text_add(path, sizeof(path), "/meminfo");
	len = kernel_file_read(path, text, sizeof(text));
	if (len < 0)
		return (int)len;
	*total_bytes = meminfo_bytes(text, " MemTotal:");
	*available_bytes = meminfo_available(text, *total_bytes);
	return *total_bytes ? 0 : -ENOENT;
}

uint64_t nodes_migration_stamp(int vmstat_fd)
{
	static const char name[] = "\npgmigrate_success ";
	char text[8192];
	const char *at;
	long len;

	len = sys(SYS_pread64, vmstat_fd, text, sizeof(text) - 1, 0);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	at = strstr(text, name);
	return at ? text_number(at + sizeof(name) - 1) : 0;
}
