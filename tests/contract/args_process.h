/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes to a request: flags, and the process that owns the pages. */
#ifndef CONTRACT_ARGS_PROCESS_H
#define CONTRACT_ARGS_PROCESS_H

#include <pthread.h>
#include <stdatomic.h>

#include "tests/contract/scene.h"

#define BAD_FLAGS MPOL_MF_STRICT

static void flags_strict(struct scene *s)
{
	s->flags = MPOL_MF_STRICT | MPOL_MF_MOVE;
}
static void flags_eight(struct scene *s)
{
	s->flags = 8;
}
static void flags_sign(struct scene *s)
{
	s->flags = (int)0x80000000 | MPOL_MF_MOVE;
}
static void flags_all_bits(struct scene *s)
{
	s->flags = -1;
}

static void flags_and_pid(struct scene *s)
{
	s->flags = BAD_FLAGS;
	s->pid = -1;
}

static void flags_and_count_0(struct scene *s)
{
	s->flags = BAD_FLAGS;
	s->count = 0;
}

static void flags_bad_unprivileged(struct scene *s)
{
	s->flags = BAD_FLAGS | MPOL_MF_MOVE_ALL;
	become_nobody();
}

static void move_all_unprivileged(struct scene *s)
{
	s->flags = MPOL_MF_MOVE_ALL;
	become_nobody();
}

static void move_all_unprivileged_bad_pid(struct scene *s)
{
	move_all_unprivileged(s);
	s->pid = -1;
}

static void move_all_unprivileged_count_0(struct scene *s)
{
	move_all_unprivileged(s);
	s->count = 0;
}

static void move_all_query_unprivileged(struct scene *s)
{
	move_all_unprivileged(s);
	s->nodes = NULL;
}

static void pid_minus_1(struct scene *s)
{
	s->pid = -1;
}
static void pid_lowest(struct scene *s)
{
	s->pid = (int)0x80000000;
}
static void pid_unused(struct scene *s)
{
	s->pid = 0x7ffffffe;
}
static void pid_self(struct scene *s)
{
	s->pid = getpid();
}

static void pid_unused_count_0(struct scene *s)
{
	s->pid = 0x7ffffffe;
	s->count = 0;
}

static void pid_self_unprivileged(struct scene *s)
{
	become_nobody();
	s->pid = getpid();
}

static void pid_init_unprivileged(struct scene *s)
{
	become_nobody();
	s->pid = 1;
}

static void pid_init_unprivileged_query(struct scene *s)
{
	pid_init_unprivileged(s);
	s->nodes = NULL;
}

static void pid_init_unprivileged_count_0(struct scene *s)
{
	pid_init_unprivileged(s);
	s->count = 0;
}

static void pid_init_query(struct scene *s)
{
	s->pid = 1;
	s->nodes = NULL;
}

static void pid_kthread(struct scene *s)
{
	char name[32] = "";
	FILE *f = fopen("/proc/2/comm", "r");

	if (!f || !fgets(name, sizeof(name), f) || strcmp(name, "kthreadd\n") != 0) {
		errno = ESRCH;
		scene_must(s, NULL, "kthreadd");
	}
	fclose(f);
	s->pid = 2;
}

static void pid_kthread_count_0(struct scene *s)
{
	pid_kthread(s);
	s->count = 0;
}

static void pid_kthread_unprivileged(struct scene *s)
{
	pid_kthread(s);
	become_nobody();
}

static void pid_zombie(struct scene *s)
{
	siginfo_t info;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	s->pid = pid;
}

static void *thread_store_tid(void *arg)
{
	atomic_int *tid = arg;

	*tid = gettid();
	for (;;)
		pause();
	return NULL;
}

static void pid_thread(struct scene *s)
{
	static atomic_int tid;
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_store_tid, &tid))
		scene_must(s, NULL, "pthread_create");
	while (!tid)
		sched_yield();
	s->pid = tid;
}

static void helper_become_nobody(void *arg __maybe_unused)
{
	become_nobody();
}

static void pid_same_user(struct scene *s)
{
	s->pid = scene_fork(s, helper_become_nobody, NULL);
	become_nobody();
}

static void pid_undumpable(struct scene *s)
{
	pid_same_user(s);
	s->pid = scene_fork(s, NULL, NULL);
	prctl(PR_SET_DUMPABLE, 0);
}

#endif
