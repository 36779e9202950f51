// SPDX-License-Identifier: LGPL-2.1-or-later
/* Calls exit() while other threads keep moving pages. */
#include <pthread.h>
#include <stdatomic.h>

#include "victim.h"

static atomic_int nr_calls;
static int node;

static void *forever(void *arg __maybe_unused)
{
	struct arena *a = malloc(sizeof(*a));

	arena_make(a, 0);
	for (int i = 0;; i++) {
		arena_move(a, i & 1 ? 0 : node);
		nr_calls++;
	}
	return NULL;
}

int main(void)
{
	pthread_t thread;
	int nr_wanted = repetitions(100);

	node = last_node();
	for (int i = 0; i < 4; i++)
		pthread_create(&thread, NULL, forever, NULL);
	while (nr_calls < nr_wanted)
		usleep(1000);
	printf("leaving\n");
	exit(7);
}
