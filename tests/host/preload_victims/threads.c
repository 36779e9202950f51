// SPDX-License-Identifier: LGPL-2.1-or-later
/* Short-lived threads with two calls each; the first threads race to open the context. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "victim.h"

#define NR_ROUNDS  10
#define NR_THREADS 8

static atomic_int nr_bad;
static int node;

/* Pages that another CPU uses at the moment stay in place, also with the plain call. */
static bool moves_in_the_end(struct arena *a, int to)
{
	for (int tries = 0; tries < 50; tries++)
		if (!arena_move(a, to) && !arena_misplaced(a))
			return true;
	return false;
}

static void *one(void *arg __maybe_unused)
{
	struct arena *a = malloc(sizeof(*a));

	arena_make(a, 0);
	for (int i = 0; i < 2; i++)
		nr_bad += !moves_in_the_end(a, i ? 0 : node) || arena_damage(a);
	munmap(a->base, NR_PAGES * PAGE);
	free(a);
	return NULL;
}

int main(void)
{
	pthread_t threads[NR_THREADS];
	int nr_rounds = repetitions(NR_ROUNDS);

	node = last_node();
	for (int round = 0; round < nr_rounds; round++) {
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
