// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/futex.h"
#include "cli/move/busy.h"
#include "cli/common/common.h"

enum { BUSY_ASLEEP, BUSY_AT_WORK, BUSY_CLOSING };

struct busy {
	atomic_uint state; /* futex */
	unsigned int nr_threads;
	pthread_t threads[];
};

static void *busy_thread_main(void *arg)
{
	struct busy *busy = arg;
	volatile unsigned long sink;
	unsigned long x = 1;

	for (;;) {
		switch (atomic_load_explicit(&busy->state, memory_order_relaxed)) {
		case BUSY_ASLEEP:
			futex_wait(&busy->state, BUSY_ASLEEP, FUTEX_FOREVER);
			break;
		case BUSY_AT_WORK:
			for (int i = 0; i < 1000; i++)
				x = x * 6364136223846793005UL + 1442695040888963407UL;
			sink = x;
			(void)sink;
			break;
		default:
			return NULL;
		}
	}
}

static void busy_set_state(struct busy *busy, unsigned int state)
{
	if (!busy)
		return;
	atomic_store(&busy->state, state);
	futex_wake(&busy->state, UINT_MAX);
}

int busy_open(unsigned int nr_threads, struct busy **out)
{
	struct busy *busy;

	*out = NULL;
	if (!nr_threads)
		return 0;
	busy = cli_alloc(1, sizeof(*busy) + nr_threads * sizeof(busy->threads[0]));
	for (unsigned int i = 0; i < nr_threads; i++) {
		if (pthread_create(&busy->threads[i], NULL, busy_thread_main, busy)) {
			busy_close(busy);
			return -EAGAIN;
		}
		busy->nr_threads++;
	}
	*out = busy;
	return 0;
}

void busy_close(struct busy *busy)
{
	if (!busy)
		return;
	busy_set_state(busy, BUSY_CLOSING);
	for (unsigned int i = 0; i < busy->nr_threads; i++)
		pthread_join(busy->threads[i], NULL);
	free(busy);
}

void busy_begin(struct busy *busy)
{
	busy_set_state(busy, BUSY_AT_WORK);
}

void busy_end(struct busy *busy)
{
	busy_set_state(busy, BUSY_ASLEEP);
}
