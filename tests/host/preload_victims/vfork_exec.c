// SPDX-License-Identifier: LGPL-2.1-or-later
/* Calls by vfork children, which share the parent's memory, and by the programs that they exec. */
#include <spawn.h>
#include <sys/wait.h>

#include "victim.h"

extern char **environ;

static struct arena a;

int main(int argc, char **argv)
{
	char *again[] = {argv[0], "again", NULL};
	int status = -1;
	long ret;
	pid_t pid;

	arena_make(&a, 0);
	ret = arena_move(&a, last_node());
	printf("%s: %ld misplaced %d damaged %d\n", argc > 1 ? "exec'ed" : "first", ret,
	       arena_misplaced(&a), arena_damage(&a));
	fflush(stdout);
	if (argc > 1)
		return 0;

	for (int i = 0; i < 20; i++) {
		pid = vfork();
		if (!pid) {
			if (arena_move(&a, 0) || syscall(SYS_close, -1) != -1 || errno != EBADF)
				_exit(1);
			if (i % 5)
				_exit(0);
			execv("/proc/self/exe", again);
			_exit(127);
		}
		waitpid(pid, &status, 0);
		if (status)
			printf("vfork child %d: status %#x\n", i, (unsigned int)status);
		ret = arena_move(&a, last_node());
		if (ret)
			printf("parent after vfork: %ld\n", ret);
	}
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, again, environ))
		die("posix_spawn");
	waitpid(pid, &status, 0);
	printf("spawned: status %d, damaged %d\n", status, arena_damage(&a));
	return 0;
}
