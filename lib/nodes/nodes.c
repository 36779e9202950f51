// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reads from sysfs and /proc/vmstat what the machine says about its NUMA nodes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
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
	char *p = text;

	memset(nodes, 0, sizeof(*nodes));
	if (kernel_file_read("/sys/devices/system/node/has_memory", text, sizeof(text)) <= 0)
		strcpy(text, "0");
	while (*p >= '0' && *p <= '9') {
		long first = strtol(p, &p, 10);
		long last = *p == '-' ? strtol(p + 1, &p, 10) : first;

		for (long node = first; node <= last && node < MAX_NODES; node++)
			nodes_add(nodes, (int)node);
		if (*p == ',')
			p++;
	}
}

static int meminfo_read_field(const char *text, const char *name, uint64_t *out_bytes)
{
	const char *at = strstr(text, name);

	if (!at)
		return -ENOENT;
	*out_bytes = strtoull(at + strlen(name), NULL, 10) << 10;
	return 0;
}

int nodes_memory(int node, uint64_t *total_bytes, uint64_t *free_bytes)
{
	char path[64], text[4096];
	long len;
	int err;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	len = kernel_file_read(path, text, sizeof(text));
	if (len < 0)
		return (int)len;
	err = meminfo_read_field(text, "MemTotal:", total_bytes);
	if (!err)
		err = meminfo_read_field(text, "MemFree:", free_bytes);
	return err;
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
	return at ? strtoull(at + sizeof(name) - 1, NULL, 10) : 0;
}
