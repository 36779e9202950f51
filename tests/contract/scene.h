/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Contract tests make the same request to the system call and to the library, each on a scene of
 * its own, and compare the answers. Each side runs in a process of its own, so that a scene may
 * drop privileges, fork or corrupt memory.
 */
#ifndef CONTRACT_SCENE_H
#define CONTRACT_SCENE_H

#include <errno.h>
#include <numaif.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/sys.h"
#include "include/pageferry.h"

#define MAX_PAGES   2048
#define MAX_HELPERS 4
#define SCENE_BASE  ((char *)0x200000000000)
#define UNTOUCHED   (-77) /* statuses hold this before the call */
#define NOBODY      65534
#define SIDE_S      120 /* the time after which a side is taken to hang */

enum side { SIDE_KERNEL, SIDE_FERRY };

/* The answer of one side, in memory shared with the test. */
struct answer {
	bool done;
	char skip[80]; /* why the scene cannot be built here; "" if it can */
	char bug[160]; /* an answer that contradicts itself */
	long ret;
	int err;
	int old_hugepages;     /* to be restored if not negative */
	unsigned int nr;       /* entries compared */
	int nodes[MAX_PAGES];  /* destinations */
	int status[MAX_PAGES]; /* stored by the call */
	int where[MAX_PAGES];  /* by a query after the call; own pages only */
};

struct scene {
	struct answer *answer;
	enum side side;
	/* the request */
	int pid;
	unsigned long count;
	void **pages;
	int *nodes; /* NULL: a query */
	int *status;
	int flags;
	/* the valid arrays, even if pages, nodes or status point elsewhere */
	void **real_pages;
	int *real_nodes;
	int *real_status;
	/* the machine */
	int node_far;  /* a second node that has memory; 0 if there is none */
	int node_bare; /* a node with memory and no CPU; 0 if there is none */
	char *next_map;
	pid_t helpers[MAX_HELPERS];
	int nr_helpers;
};

/* ---- building ------------------------------------------------------------------------------- */

static inline void scene_skip(struct scene *s, const char *why)
{
	snprintf(s->answer->skip, sizeof(s->answer->skip), "%s", why);
}

/* Returns p, but ends the side if p is NULL or MAP_FAILED: the scene cannot be built. */
static inline void *scene_must(struct scene *s, void *p, const char *what)
{
	if (p == MAP_FAILED || !p) {
		if (!s->answer->skip[0])
			snprintf(s->answer->skip, sizeof(s->answer->skip), "%s: %s", what,
				 strerror(errno));
		for (int i = 0; i < s->nr_helpers; i++)
			kill(s->helpers[i], SIGKILL);
		_exit(0);
	}
	return p;
}

/*
 * Maps memory far below the addresses that mmap(2) chooses, with a gap after it. Memory that the
 * scene unmaps there stays unmapped, whatever the library maps.
 */
static inline char *map_at(struct scene *s, size_t len, int prot, int flags)
{
	void *p = mmap(s->next_map, len, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | flags, -1, 0);

	scene_must(s, p, "mmap");
	s->next_map += ALIGN_UP(len, HUGE_BYTES) + HUGE_BYTES;
	return p;
}

/* Memory that stays shared with processes forked later. */
static inline void *map_shared(struct scene *s, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
		       -1, 0);

	return scene_must(s, p, "mmap");
}

static inline char *map_pages(struct scene *s, size_t nr)
{
	char *p = map_at(s, nr * PAGE_BYTES, PROT_READ | PROT_WRITE, 0);

	madvise(p, nr * PAGE_BYTES, MADV_NOHUGEPAGE);
	return p;
}

static inline char *map_touched(struct scene *s, size_t nr)
{
	char *p = map_pages(s, nr);

	for (size_t i = 0; i < nr; i++)
		memset(p + i * PAGE_BYTES, (int)i | 1, PAGE_BYTES);
	return p;
}

static inline void scene_add(struct scene *s, void *page, int node)
{
	s->real_pages[s->count] = page;
	s->real_nodes[s->count] = node;
	s->count++;
}

static inline void scene_add_touched(struct scene *s, unsigned int nr, int node)
{
	char *p = nr ? map_touched(s, nr) : NULL;

	for (unsigned int i = 0; i < nr; i++)
		scene_add(s, p + i * PAGE_BYTES, node);
}

/*
 * Forks a process that runs fn and then keeps its memory until the calling process has ended. It
 * learns that from a pipe, because a parent-death signal is not sent if the users differ.
 */
static inline pid_t fork_holder(void (*fn)(void *), void *arg)
{
	int ready[2], life[2];
	char byte;
	pid_t pid;

	if (pipe(ready) || pipe(life))
		return -1;
	pid = fork();
	if (!pid) {
		alarm(0);
		close(life[1]);
		close(ready[0]);
		if (fn)
			fn(arg);
		if (write(ready[1], "", 1) != 1 || read(life[0], &byte, 1))
			_exit(1);
		_exit(0);
	}
	close(life[0]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		pid = -1;
	close(ready[0]);
	return pid;
}

/* As fork_holder(), but the process is a helper of the scene. */
static inline pid_t scene_fork(struct scene *s, void (*fn)(void *), void *arg)
{
	pid_t pid = fork_holder(fn, arg);

	if (pid < 0)
		scene_must(s, NULL, "helper process");
	s->helpers[s->nr_helpers++] = pid;
	return pid;
}

/* Allocates memory on this node from now on; -1 ends that. */
static inline void prefer_node(int node)
{
	unsigned long mask[MAX_NODES / 64] = {0};

	if (node >= 0)
		mask[node / 64] = 1UL << (node % 64);
	sys(SYS_set_mempolicy, node < 0 ? MPOL_DEFAULT : MPOL_PREFERRED, node < 0 ? NULL : mask,
	    node < 0 ? 0 : MAX_NODES);
}

static inline void become_nobody(void)
{
	if (setgid(NOBODY) || setuid(NOBODY))
		_exit(9);
	prctl(PR_SET_DUMPABLE, 1);
}

/* ---- the machine ---------------------------------------------------------------------------- */

/* True if the file lists the node, as in "0-1,3". */
static inline bool node_listed(const char *file, int node)
{
	char line[256] = "", *p = line;
	FILE *f = fopen(file, "r");
	bool found = false;

	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	while (*p >= '0' && *p <= '9') {
		long first = strtol(p, &p, 10), last = first;

		if (*p == '-')
			last = strtol(p + 1, &p, 10);
		found |= node >= first && node <= last;
		if (*p == ',')
			p++;
	}
	return found;
}

static inline bool node_has_memory(int node)
{
	return node_listed("/sys/devices/system/node/has_memory", node);
}

static inline int find_node(bool with_cpu)
{
	for (int node = 1; node < MAX_NODES; node++) {
		if (node_has_memory(node) &&
		    node_listed("/sys/devices/system/node/has_cpu", node) == with_cpu)
			return node;
	}
	return 0;
}

/* Returns the former number, or -1. */
static inline int set_hugepages(int nr)
{
	FILE *f = fopen("/proc/sys/vm/nr_hugepages", "r+");
	int old = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &old) != 1)
		old = -1;
	rewind(f);
	fprintf(f, "%d\n", nr);
	fclose(f);
	return old;
}

/* ---- the two sides -------------------------------------------------------------------------- */

static inline long kernel_result(long ret, int *err)
{
	*err = ret < 0 ? (int)-ret : 0;
	return ret < 0 ? -1 : ret;
}

static inline struct ferry *open_ferry(struct answer *answer)
{
	struct ferry *ferry = NULL;
	int err = ferry_open(&ferry, NULL);

	if (err) {
		snprintf(answer->bug, sizeof(answer->bug), "ferry_open: %s: %s", strerror(-err),
			 ferry_open_error());
		_exit(0);
	}
	return ferry;
}

static inline void ask_move(struct scene *s)
{
	struct answer *a = s->answer;
	struct ferry *ferry;

	prefer_node(-1);
	if (s->side == SIDE_KERNEL) {
		a->ret = kernel_result(sys(SYS_move_pages, s->pid, s->count, s->pages, s->nodes,
					   s->status, s->flags),
				       &a->err);
		return;
	}
	ferry = open_ferry(a);
	errno = 0;
	a->ret = ferry_move_pages(ferry, s->pid, s->count, s->pages, s->nodes, s->status, s->flags);
	a->err = a->ret < 0 ? errno : 0;
	ferry_close(ferry);
}

/* Runs fn on a scene in a process of its own. */
static inline void run_side(enum side side, void (*fn)(struct scene *, const void *),
			    const void *arg, struct answer *answer)
{
	struct scene s = {.answer = answer, .side = side, .next_map = SCENE_BASE};
	int status = 0;
	pid_t pid;

	memset(answer, 0, sizeof(*answer));
	answer->old_hugepages = -1;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(SIDE_S);
		prefer_node(0);
		s.node_far = find_node(true);
		s.node_bare = find_node(false);
		fn(&s, arg);
		answer->done = true;
		for (int i = 0; i < s.nr_helpers; i++)
			kill(s.helpers[i], SIGKILL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (answer->old_hugepages >= 0)
		set_hugepages(answer->old_hugepages);
	if (WIFSIGNALED(status))
		snprintf(answer->bug, sizeof(answer->bug), "killed by signal %d (%s)",
			 WTERMSIG(status),
			 WTERMSIG(status) == SIGALRM ? "it hung" : strsignal(WTERMSIG(status)));
	else if (!answer->done && !answer->skip[0] && !answer->bug[0])
		snprintf(answer->bug, sizeof(answer->bug), "ended early with status %#x", status);
}

#endif
