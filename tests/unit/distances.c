// SPDX-License-Identifier: LGPL-2.1-or-later
/* The nearest other node with memory, from the texts of sysfs. */
#include <criterion/criterion.h>
#include <errno.h>

#include "lib/nodes/distances.h"

static struct nodes nodes_with(const int *ids, unsigned int nr)
{
	struct nodes nodes = {.nr_memory = nr};

	for (unsigned int i = 0; i < nr; i++)
		nodes.memory[ids[i] / 64] |= 1ULL << (ids[i] % 64);
	return nodes;
}

Test(distances, of_two_nodes_the_other_one)
{
	const struct nodes nodes = nodes_with((int[]){0, 1}, 2);
	const struct distances from = {"0-1\n", "0-1\n", "20 10\n"};
	struct nearest_node nearest;

	cr_assert_eq(distances_find_nearest(&nodes, 1, &from, &nearest), 0);
	cr_expect_eq(nearest.node, 0);
	cr_expect_eq(nearest.distance, 20);
	cr_expect(nearest.both_have_cpus);
}

/* Numbers of nodes have gaps, a node may have no memory, another one no CPUs. */
Test(distances, only_memory_counts)
{
	const struct nodes nodes = nodes_with((int[]){0, 8, 130}, 3);
	const struct distances from = {"0-1,8,130\n", "0-1,130\n", "10 11 17 32\n"};
	struct nearest_node nearest;

	cr_assert_eq(distances_find_nearest(&nodes, 0, &from, &nearest), 0);
	cr_expect_eq(nearest.node, 8, "node 1 is nearer, but has no memory");
	cr_expect_eq(nearest.distance, 17);
	cr_expect_not(nearest.both_have_cpus);
}

Test(distances, none_where_there_is_no_other)
{
	const struct nodes nodes = nodes_with((int[]){0}, 1);
	const struct distances alone = {"0\n", "0\n", "10\n"}, broken = {"0-1\n", "0\n", "\n"};
	const struct nodes two = nodes_with((int[]){0, 1}, 2);
	struct nearest_node nearest;

	cr_expect_eq(distances_find_nearest(&nodes, 0, &alone, &nearest), -ENOENT);
	cr_expect_eq(distances_find_nearest(&two, 0, &broken, &nearest), -ENOENT);
}
