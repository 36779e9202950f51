/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far nodes are apart, as the firmware tells. */
#ifndef FERRY_DISTANCES_H
#define FERRY_DISTANCES_H

#include "lib/nodes/nodes.h"

struct nearest_node {
	int node;
	unsigned int distance; /* 10: the same node */
	bool both_have_cpus;
};

/* The nearest other node with memory. 0, or -ENOENT: there is none, or sysfs does not tell. */
int __must_check nodes_find_nearest(const struct nodes *nodes, int node, struct nearest_node *out);

/* What sysfs says about a node: nodes as lists such as "0-3,8". */
struct distances {
	const char *online, *has_cpu;
	const char *distances; /* to each node that is online, in their order */
};

/* The same from these texts. */
int __must_check distances_find_nearest(const struct nodes *nodes, int node,
					const struct distances *from, struct nearest_node *out);

#endif
