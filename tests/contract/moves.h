/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each kind of page in each mode of the call: alone, and among many ordinary pages. */
#ifndef CONTRACT_MOVES_H
#define CONTRACT_MOVES_H

#include "tests/contract/compare.h"
#include "tests/contract/kinds.h"

#define NR_AROUND \
	600 /* ordinary pages before and after: enough for the library to plan the request */

enum target { TO_NONE, TO_NEAR, TO_FAR, TO_BARE };

struct mode {
	const char *name;
	enum target target; /* TO_NONE: a query */
	int flags;
	bool unprivileged;
	bool other_process; /* the pages are those of another process */
};

static const struct mode modes[] = {
	{"query", TO_NONE, 0, false, false},
	{"query with MOVE", TO_NONE, MPOL_MF_MOVE, false, false},
	{"MOVE, in place", TO_NEAR, MPOL_MF_MOVE, false, false},
	{"flags 0, in place", TO_NEAR, 0, false, false},
	{"MOVE_ALL, in place", TO_NEAR, MPOL_MF_MOVE_ALL, false, false},
	{"MOVE, unprivileged, in place", TO_NEAR, MPOL_MF_MOVE, true, false},
	{"MOVE of another process, in place", TO_NEAR, MPOL_MF_MOVE, false, true},
	{"MOVE, far", TO_FAR, MPOL_MF_MOVE, false, false},
	{"MOVE | MOVE_ALL, far", TO_FAR, MPOL_MF_MOVE | MPOL_MF_MOVE_ALL, false, false},
	{"MOVE, unprivileged, far", TO_FAR, MPOL_MF_MOVE, true, false},
	{"MOVE of another process, far", TO_FAR, MPOL_MF_MOVE, false, true},
	{"MOVE to a node without CPUs", TO_BARE, MPOL_MF_MOVE, false, false},
};

struct move_case {
	const struct kind *kind;
	const struct mode *mode;
	unsigned int nr_around;
};

static inline void scene_alloc_arrays(struct scene *s)
{
	s->real_pages = map_shared(s, MAX_PAGES * sizeof(void *));
	s->real_nodes = map_shared(s, MAX_PAGES * sizeof(int));
	s->real_status = map_shared(s, MAX_PAGES * sizeof(int));
}

static inline void scene_finish(struct scene *s)
{
	s->pages = s->real_pages;
	s->nodes = s->real_nodes;
	s->status = s->real_status;
	for (unsigned int i = 0; i < MAX_PAGES; i++)
		s->real_status[i] = UNTOUCHED;
}

/* Queries where the pages are now, and stores the entries in the answer. */
static inline void scene_record(struct scene *s, unsigned int nr)
{
	struct answer *a = s->answer;

	a->nr = nr;
	memcpy(a->nodes, s->real_nodes, nr * sizeof(int));
	memcpy(a->status, s->real_status, nr * sizeof(int));
	for (unsigned int i = 0; i < nr; i++)
		a->where[i] = UNTOUCHED;
	sys(SYS_move_pages, s->pid, nr, s->real_pages, NULL, a->where, 0);
}

static int target_node(const struct scene *s, enum target target)
{
	return target == TO_FAR ? s->node_far : target == TO_BARE ? s->node_bare : 0;
}

static void scene_build(struct scene *s, const struct move_case *c)
{
	int node = target_node(s, c->mode->target);

	scene_add_touched(s, c->nr_around, node);
	c->kind->add(s, node);
	scene_add_touched(s, c->nr_around, node);
	scene_finish(s);
}

struct foreign {
	struct scene *scene;
	const struct move_case *move;
};

static void scene_build_in_helper(void *arg)
{
	struct foreign *foreign = arg;

	scene_build(foreign->scene, foreign->move);
}

/* A helper process builds the scene in its own memory, but shares the scene and its arrays. */
static void scene_build_foreign(struct scene *s, const struct move_case *c)
{
	struct foreign foreign = {.scene = map_shared(s, sizeof(*s)), .move = c};
	pid_t pid;

	*foreign.scene = *s;
	pid = scene_fork(s, scene_build_in_helper, &foreign);
	foreign.scene->helpers[foreign.scene->nr_helpers++] = pid;
	foreign.scene->pid = pid;
	*s = *foreign.scene;
}

static void move_case_run(struct scene *s, const void *arg)
{
	const struct move_case *c = arg;

	scene_alloc_arrays(s);
	if (c->mode->other_process)
		scene_build_foreign(s, c);
	else
		scene_build(s, c);
	if (c->mode->target == TO_NONE)
		s->nodes = NULL;
	s->flags = c->mode->flags;
	if (c->mode->unprivileged)
		become_nobody();
	ask_move(s);
	scene_record(s, (unsigned int)s->count);
}

/*
 * The library passes a small request on to the system call, on every kernel alike: where the host's
 * test sees that, guests need only those to another node.
 */
static void test_moves(struct answer *answers, bool small_in_place)
{
	int far = find_node(true), bare = find_node(false);

	for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			struct move_case c = {.kind = &kinds[i], .mode = &modes[m]};
			bool small = small_in_place || kinds[i].is_planned_alone ||
				     c.mode->target == TO_FAR || c.mode->target == TO_BARE;
			const char *skip = NULL;
			bool ok = true;

			if ((c.mode->target == TO_FAR && !far) ||
			    (c.mode->target == TO_BARE && !bare)) {
				tap_skip("no such node", "%s: %s", c.mode->name, c.kind->name);
				continue;
			}
			c.nr_around = small ? 0 : NR_AROUND;
			for (; ok && !skip && c.nr_around <= NR_AROUND; c.nr_around += NR_AROUND) {
				ok = run_both(move_case_run, &c, answers, &skip);
				if (!ok)
					tap_note("with %u ordinary pages before and after",
						 c.nr_around);
			}
			if (skip)
				tap_skip(skip, "%s: %s", c.mode->name, c.kind->name);
			else
				tap_ok(ok, "%s: %s", c.mode->name, c.kind->name);
		}
	}
}

#define NR_MOVE_TESTS ((int)(ARRAY_SIZE(modes) * ARRAY_SIZE(kinds)))

#endif
