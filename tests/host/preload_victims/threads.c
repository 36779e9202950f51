// SPDX-License-Identifier: LGPL-2.1-or-later
/* Threads come and go, each with a call or two; the first ones race for the first call. */
#include <pthread.h>
#include <stdatomic.h>

#include "victim.h"

#define NR_ROUNDS  10
#define NR_THREADS 8

static atomic_int nr_bad;
static int node;

static void *one(void *arg)
{
	struct arena *a = malloc(sizeof(*a));

	arena_make(a, 0);
	for (int i = 0; i < 2; i++)
		nr_bad += arena_move(a, i ? 0 : node) || arena_misplaced(a) || arena_damage(a);
	munmap(a->base, NR_PAGES * PAGE);
	free(a);
	return NULL;
}

int main(void)
{
	pthread_t threads[NR_THREADS];

	node = last_node();
	for (int round = 0; round < NR_ROUNDS; round++) {
		for (int i = 0; i < NR_THREADS; i++) {
			if (pthread_create(&threads[i], NULL, one, NULL))
				die("pthread_create");
		}
		for (int i = 0; i < NR_THREADS; i++)
			pthread_join(threads[i], NULL);
	}
	printf("bad calls %d\n", nr_bad);
	return 0;
}
