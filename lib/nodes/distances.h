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

#endif
