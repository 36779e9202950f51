// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "lib/nodes/distances.h"
#include "lib/nodes/kernel_file.h"

#define NODES_ROOT "/sys/devices/system/node/"

/* The next number of a list such as "0-3,8", after `node`; -1: there is none. */
static int list_next(const char *list, int node)
{
	while (*list >= '0' && *list <= '9') {
		int first = (int)text_read_number(&list), last = first;

		if (*list == '-' && list++)
			last = (int)text_read_number(&list);
		if (node < last)
			return MAX(node + 1, first);
		if (*list == ',')
			list++;
	}
	return -1;
}

static bool list_has(const char *list, int node)
{
	return list_next(list, node - 1) == node;
}

int distances_find_nearest(const struct nodes *nodes, int node, const struct distances *from,
			   struct nearest_node *out)
{
	const char *at = from->distances;
	int other = -1;

	*out = (struct nearest_node){.node = -1};
	while ((other = list_next(from->online, other)) >= 0) {
		unsigned int distance = (unsigned int)text_number(at);

		at += strspn(at, " ");
		at += strspn(at, "0123456789");
		if (other == node || !nodes_has(nodes, other) || !distance ||
		    (out->node >= 0 && distance >= out->distance))
			continue;
		out->node = other;
		out->distance = distance;
		out->both_have_cpus =
			list_has(from->has_cpu, node) && list_has(from->has_cpu, other);
	}
	return out->node < 0 ? -ENOENT : 0;
}

int nodes_find_nearest(const struct nodes *nodes, int node, struct nearest_node *out)
{
	char path[64] = NODES_ROOT "node", online[512], has_cpu[512], text[4096];
	const struct distances from = {online, has_cpu, text};

	text_add_number(path, sizeof(path), (uint64_t)node);
	text_add(path, sizeof(path), "/distance");
	if (kernel_file_read(NODES_ROOT "online", online, sizeof(online)) <= 0 ||
	    kernel_file_read(NODES_ROOT "has_cpu", has_cpu, sizeof(has_cpu)) <= 0 ||
	    kernel_file_read(path, text, sizeof(text)) <= 0)
		return -ENOENT;
	return distances_find_nearest(nodes, node, &from, out);
}
