// SPDX-License-Identifier: LGPL-2.1-or-later
/* Forks while a thread moves pages; children and grandchildren move pages as well. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "victim.h"

#define NR_CHILDREN 40

static struct arena by_thread, by_child;
static atomic_int stop;
static int node;

static void *mover(void *arg __maybe_unused)
{
	for (int i = 0; !stop; i++) {
		/* Pages that a child still shares stay in place, with status -EACCES. */
		if (arena_move(&by_thread, i & 1 ? node : 0) < 0)
			die("move_pages in the thread");
	}
	return NULL;
}

static int be_child(int depth)
{
	struct arena fresh;

	if (arena_damage(&by_thread) || arena_damage(&by_child))
		return 1;
	arena_make(&fresh, 0);
	if (arena_move(&fresh, node) || arena_misplaced(&fresh) || arena_damage(&fresh))
		return 2;
	if (depth) {
		int status;
		pid_t pid = fork();

		if (!pid)
			exit(be_child(depth - 1));
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			return 3;
	}
	munmap(fresh.base, NR_PAGES * PAGE);
	return 0;
}

int main(void)
{
	pthread_t thread;
	int sum = 0, nr_children = repetitions(NR_CHILDREN);

	node = last_node();
	arena_make(&by_thread, 0);
	arena_make(&by_child, 0);
	if (arena_move(&by_child, node))
		die("move_pages");
	pthread_create(&thread, NULL, mover, NULL);
	for (int i = 0; i < nr_children; i++) {
		int status = -1;
		pid_t pid = fork();

		if (!pid)
			exit(be_child(i % 4 == 0));
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			die("fork");
		sum += status != 0;
	}
	stop = 1;
	pthread_join(thread, NULL);
	printf("children failed %d, damaged %d %d\n", sum, arena_damage(&by_thread),
	       arena_damage(&by_child));
	return 0;
}
