// SPDX-License-Identifier: LGPL-2.1-or-later
/* Calls by threads and processes that a raw clone(2) creates, unknown to libc. */
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "victim.h"

#define STACK_BYTES 65536

static struct arena a;
static int node;
static volatile long result = -99;
static volatile int alive;

static int run(void *arg __maybe_unused)
{
	result = arena_move(&a, node);
	if (syscall(SYS_getpid) <= 0)
		result = -98;
	syscall(SYS_exit, 0);
	return 0;
}

static void thread_with(int flags, const char *what)
{
	char *stack =
		mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status = 0, pid;

	result = -99;
	alive = 1;
	pid = clone(run, stack + STACK_BYTES, flags, NULL, NULL, NULL, &alive);
	if (pid < 0)
		die("clone");
	if (flags & CLONE_THREAD) {
		while (alive)
			syscall(SYS_futex, &alive, FUTEX_WAIT, 1, NULL, NULL, 0);
	} else {
		waitpid(pid, &status, __WALL);
	}
	printf("%s: %ld status %d misplaced %d damaged %d\n", what, result, status,
	       arena_misplaced(&a), arena_damage(&a));
}

int main(void)
{
	node = last_node();
	arena_make(&a, 0);
	for (int round = 0; round < 2; round++) {
		thread_with(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
				    CLONE_CHILD_CLEARTID,
			    "thread");
		thread_with(CLONE_VM | SIGCHLD, "process with our memory");
		/* In the second round a context is open. */
		printf("main: %ld\n", arena_move(&a, 0));
	}
	return 0;
}
