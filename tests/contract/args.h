/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unusual and invalid arguments: the order of checks, each errno, arrays that end early. */
#ifndef CONTRACT_ARGS_H
#define CONTRACT_ARGS_H

#include "tests/contract/args_arrays.h"
#include "tests/contract/args_process.h"
#include "tests/contract/cpuset.h"
#include "tests/contract/moves.h"

struct arg_case {
	const char *name;
	/* Changes a request for NR_ARG ordinary pages that are on their destination, node 0. */
	void (*change)(struct scene *s);
	bool needs_far;
};

#define CASE(what, fn)          \
	{                       \
		what, fn, false \
	}
#define FAR(what, fn)          \
	{                      \
		what, fn, true \
	}

static const struct arg_case arg_cases[] = {
	CASE("flags: STRICT", flags_strict),
	CASE("flags: 8", flags_eight),
	CASE("flags: sign bit", flags_sign),
	CASE("flags: all bits", flags_all_bits),
	CASE("flags are checked before the pid", flags_and_pid),
	CASE("flags are checked with count 0", flags_and_count_0),
	CASE("flags are checked before privilege", flags_bad_unprivileged),
	CASE("MOVE_ALL, unprivileged", move_all_unprivileged),
	CASE("privilege is checked before the pid", move_all_unprivileged_bad_pid),
	CASE("privilege is checked with count 0", move_all_unprivileged_count_0),
	CASE("privilege is checked in a query", move_all_query_unprivileged),
	CASE("pid -1", pid_minus_1),
	CASE("pid INT_MIN", pid_lowest),
	CASE("unused pid", pid_unused),
	CASE("unused pid, count 0", pid_unused_count_0),
	CASE("own pid", pid_self),
	CASE("own pid, unprivileged", pid_self_unprivileged),
	CASE("init, unprivileged", pid_init_unprivileged),
	CASE("init, unprivileged, query", pid_init_unprivileged_query),
	CASE("init, unprivileged, count 0", pid_init_unprivileged_count_0),
	CASE("init, query", pid_init_query),
	CASE("kernel thread", pid_kthread),
	CASE("kernel thread, count 0", pid_kthread_count_0),
	CASE("kernel thread, unprivileged", pid_kthread_unprivileged),
	CASE("kernel thread is checked before the nodes", node_bad_of_kthread),
	CASE("zombie", pid_zombie),
	CASE("own thread's id", pid_thread),
	CASE("same user's process", pid_same_user),
	CASE("same user's process that is not dumpable", pid_undumpable),
	CASE("count 0, all NULL", count_0_all_null),
	CASE("count 0, bad pointers", count_0_bad_pointers),
	CASE("count 1", count_1),
	CASE("count ULONG_MAX", count_max),
	CASE("count whose size in bytes overflows", count_wraps_bytes),
	CASE("count with the top bit", count_sign),
	CASE("pages NULL", pages_null),
	CASE("pages bad", pages_bad),
	CASE("pages in the kernel", pages_kernel),
	CASE("nodes bad", nodes_bad),
	CASE("status NULL", status_null),
	CASE("status bad", status_bad),
	CASE("status in the kernel", status_kernel),
	CASE("pages end early", pages_end),
	CASE("nodes end early", nodes_end),
	CASE("status ends early", status_ends),
	CASE("pages and status end early", pages_and_status_end),
	CASE("pages end early, count ULONG_MAX", pages_end_count_max),
	CASE("query: pages end early", pages_end_query),
	CASE("query: pages end early inside a chunk", pages_end_odd_query),
	CASE("query: status ends early", status_ends_query),
	CASE("query: status ends early inside a chunk", status_ends_odd_query),
	CASE("query: pages NULL", query_pages_null),
	CASE("query: status NULL", query_status_null),
	CASE("status read-only", status_read_only),
	CASE("pages unreadable", pages_unreadable),
	CASE("pages misaligned", pages_misaligned),
	CASE("status misaligned", status_misaligned),
	CASE("nodes and status are one array", status_is_nodes),
	CASE("nodes and status are one array, bad node", status_is_nodes_bad),
	CASE("pages and status are one array", status_is_pages),
	CASE("first node absent", node_first_absent),
	CASE("middle node absent", node_middle_absent),
	CASE("last node absent", node_last_absent),
	CASE("node -1", node_negative),
	CASE("node INT_MIN", node_lowest),
	CASE("node 1023", node_1023),
	CASE("node 1024", node_1024),
	CASE("node INT_MAX", node_highest),
	CASE("bad node after a bad page", node_bad_behind_bad_page),
	CASE("bad node at a bad page", node_bad_at_bad_page),
	CASE("bad node before the end of pages", node_bad_before_end_of_pages),
	CASE("bad node after the end of pages", node_bad_behind_end_of_pages),
	CASE("bad node and bad status", node_bad_and_status_bad),
	FAR("nodes alternate", node_alternates),
	FAR("far and near nodes, then an absent one", node_far_then_absent),
	FAR("all far, pages end early", all_far_pages_end),
	FAR("all far, status ends early", all_far_status_ends),
	FAR("node outside the cpuset", cpuset_self),
	FAR("node outside the other process's cpuset", cpuset_other),
};

static void arg_case_run(struct scene *s, const void *arg)
{
	const struct arg_case *c = arg;

	scene_alloc_arrays(s);
	scene_add_touched(s, NR_ARG, 0);
	scene_finish(s);
	s->flags = MPOL_MF_MOVE;
	s->answer->nr = NR_ARG;
	c->change(s);
	ask_move(s);
	s->pid = 0;
	scene_record(s, s->answer->nr);
}

static void test_args(struct answer *answers)
{
	int far = find_node(true);

	for (size_t i = 0; i < ARRAY_SIZE(arg_cases); i++) {
		const char *skip = NULL;
		bool ok;

		if (arg_cases[i].needs_far && !far) {
			tap_skip("no second node", "%s", arg_cases[i].name);
			continue;
		}
		ok = run_both(arg_case_run, &arg_cases[i], answers, &skip);
		if (skip)
			tap_skip(skip, "%s", arg_cases[i].name);
		else
			tap_ok(ok, "%s", arg_cases[i].name);
	}
}

#define NR_ARG_TESTS ((int)ARRAY_SIZE(arg_cases))

#endif
