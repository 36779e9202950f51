/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* migrate_pages(2): its arguments, and pages that move from one set of nodes to another. */
#ifndef CONTRACT_MIGRATE_H
#define CONTRACT_MIGRATE_H

#include "tests/contract/args.h"

#define MASK_WORDS (MAX_NODES / 64)
#define ALL_BITS   (MAX_NODES + 1)

enum process { SELF, OWN_PID, NO_PID, MINUS_1, INIT, KTHREAD, HELPER };

/* A mask is given by its first word. BAD is an invalid pointer, NULL_MASK is NULL. */
#define BAD       0xbadUL
#define NULL_MASK 0xdeadUL
#define NODE(n)   (1UL << (n))
#define F         0x100UL /* replaced by the far node's bit */

struct migrate_case {
	const char *name;
	enum process process;
	unsigned long maxnode;
	unsigned long from, to;
	bool unprivileged, shared, needs_far;
};

static const struct migrate_case migrate_cases[] = {
	{"0 to 0", SELF, ALL_BITS, 1, 1, false, false, false},
	{"0 to 0, own pid", OWN_PID, ALL_BITS, 1, 1, false, false, false},
	{"0 to 0, unprivileged", SELF, ALL_BITS, 1, 1, true, false, false},
	{"to an absent node", SELF, ALL_BITS, 1, NODE(40), false, false, false},
	{"to absent and present nodes", SELF, ALL_BITS, 1, NODE(40) | 1, false, false, false},
	{"to no node", SELF, ALL_BITS, 1, 0, false, false, false},
	{"to NULL", SELF, ALL_BITS, 1, NULL_MASK, false, false, false},
	{"from no node", SELF, ALL_BITS, 0, 1, false, false, false},
	{"from NULL", SELF, ALL_BITS, NULL_MASK, 1, false, false, false},
	{"from an absent node", SELF, ALL_BITS, NODE(40), 1, false, false, false},
	{"maxnode 0", SELF, 0, 1, 1, false, false, false},
	{"maxnode 1", SELF, 1, 1, 1, false, false, false},
	{"maxnode 2", SELF, 2, 1, 1, false, false, false},
	{"maxnode 64", SELF, 64, 1, 1, false, false, false},
	{"maxnode -1", SELF, ULONG_MAX, 1, 1, false, false, false},
	{"maxnode a page of bits", SELF, PAGE_BYTES * 8, 1, 1, false, false, false},
	{"maxnode beyond a page of bits", SELF, PAGE_BYTES * 8 + 2, 1, 1, false, false, false},
	{"bad from", SELF, ALL_BITS, BAD, 1, false, false, false},
	{"bad to", SELF, ALL_BITS, 1, BAD, false, false, false},
	{"bad to and bad pid", MINUS_1, ALL_BITS, 1, BAD, false, false, false},
	{"pid -1", MINUS_1, ALL_BITS, 1, 1, false, false, false},
	{"no such pid", NO_PID, ALL_BITS, 1, 1, false, false, false},
	{"no such pid, to no node", NO_PID, ALL_BITS, 1, 0, false, false, false},
	{"kernel thread", KTHREAD, ALL_BITS, 1, 1, false, false, false},
	{"kernel thread, unprivileged", KTHREAD, ALL_BITS, 1, 1, true, false, false},
	{"init, unprivileged", INIT, ALL_BITS, 1, 1, true, false, false},
	{"init, unprivileged, to no node", INIT, ALL_BITS, 1, 0, true, false, false},
	{"another process", HELPER, ALL_BITS, 1, 1, false, false, false},
	{"near to far", SELF, ALL_BITS, 1, F, false, false, true},
	{"near to far, own pid", OWN_PID, ALL_BITS, 1, F, false, false, true},
	{"near to far, unprivileged", SELF, ALL_BITS, 1, F, true, false, true},
	{"both to far", SELF, ALL_BITS, F | 1, F, false, false, true},
	{"swap", SELF, ALL_BITS, F | 1, F | 1, false, false, true},
	{"near to both", SELF, ALL_BITS, 1, F | 1, false, false, true},
	{"near to far, shared pages", SELF, ALL_BITS, 1, F, false, true, true},
	{"near to far, shared pages, unprivileged", SELF, ALL_BITS, 1, F, true, true, true},
	{"near to far, another process", HELPER, ALL_BITS, 1, F, false, false, true},
};

static const unsigned long *migrate_mask(struct scene *s, unsigned long word)
{
	unsigned long *mask;

	if (word == BAD)
		return bad_pointer;
	if (word == NULL_MASK)
		return NULL;
	mask = (unsigned long *)map_pages(s, 3);
	mask[0] = (word & ~F) | (word & F ? 1UL << s->node_far : 0);
	return mask;
}

static void scene_call_migrate_pages(struct scene *s, unsigned long maxnode,
				     const unsigned long *from, const unsigned long *to)
{
	struct answer *a = s->answer;
	struct ferry *ferry;

	prefer_node(-1);
	if (s->side == SIDE_KERNEL) {
		a->ret = kernel_result(sys(SYS_migrate_pages, s->pid, maxnode, from, to), &a->err);
		return;
	}
	ferry = open_ferry(a);
	errno = 0;
	a->ret = ferry_migrate_pages(ferry, s->pid, maxnode, from, to);
	a->err = a->ret < 0 ? errno : 0;
	ferry_close(ferry);
}

static void scene_fill_in_helper(void *arg)
{
	struct scene *s = arg;

	scene_add_touched(s, NR_ARG, 0);
}

static void migrate_case_run(struct scene *s, const void *arg)
{
	const struct migrate_case *c = arg;
	const unsigned long *from = migrate_mask(s, c->from), *to = migrate_mask(s, c->to);
	struct scene *shared = map_shared(s, sizeof(*s));
	const int pids[] = {
		[SELF] = 0,     [OWN_PID] = getpid(), [NO_PID] = 0x7ffffffe,
		[MINUS_1] = -1, [INIT] = 1,           [KTHREAD] = 2,
	};

	scene_alloc_arrays(s);
	*shared = *s;
	if (c->process == HELPER) {
		shared->pid = scene_fork(s, scene_fill_in_helper, shared);
		shared->helpers[shared->nr_helpers++] = shared->pid;
	} else {
		scene_fill_in_helper(shared);
		shared->pid = pids[c->process];
	}
	*s = *shared;
	if (c->shared)
		scene_fork(s, NULL, NULL);
	scene_finish(s);
	if (c->process == KTHREAD)
		pid_kthread(s);
	if (c->unprivileged)
		become_nobody();
	scene_call_migrate_pages(s, c->maxnode, from, to);
	if (c->process != HELPER)
		s->pid = 0;
	scene_record(s, (unsigned int)s->count);
	/* How many other pages stay in place differs from process to process. */
	if (s->answer->ret > 0)
		s->answer->ret = 0;
}

static void test_migrate(struct answer *answers)
{
	int far = find_node(true);

	for (size_t i = 0; i < ARRAY_SIZE(migrate_cases); i++) {
		const struct migrate_case *c = &migrate_cases[i];
		const char *skip = NULL;
		bool ok;

		if (c->needs_far && !far) {
			tap_skip("no second node", "migrate_pages: %s", c->name);
			continue;
		}
		ok = run_both(migrate_case_run, c, answers, &skip);
		if (skip)
			tap_skip(skip, "migrate_pages: %s", c->name);
		else
			tap_ok(ok, "migrate_pages: %s", c->name);
	}
}

#define NR_MIGRATE_TESTS ((int)ARRAY_SIZE(migrate_cases))

#endif
