// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/move/options.h"
#include "cli/move/stall.h"

struct toucher {
	pthread_t thread;
	const struct subject *subject;
	struct hist *hist;
	bool writes;
	atomic_bool *moving, *ending;
};

/* A write stores the value that is there already, so that the content stays as it is. */
static void toucher_access(const struct toucher *self, uint64_t random)
{
	const struct area *area = &self->subject->area;
	size_t index = random % (area->len_bytes / sizeof(uint64_t));
	volatile uint64_t *word = (volatile uint64_t *)area->base + index;

	if (self->writes)
		*word = area_word(self->subject->seed, index);
	else
		(void)*word;
}

static void *toucher_main(void *arg)
{
	struct toucher *self = arg;
	uint64_t state = self->writes ? 1 : 2;

	while (!atomic_load_explicit(self->ending, memory_order_relaxed)) {
		bool counts = atomic_load_explicit(self->moving, memory_order_relaxed);
		uint64_t random = random_next(&state), start_ns = now_ns();

		toucher_access(self, random);
		if (counts)
			hist_add(self->hist, now_ns() - start_ns);
	}
	return NULL;
}

static int stall_move_rounds(struct subject *subject, struct ferry *ferry, struct move_row *row,
			     atomic_bool *moving)
{
	uint64_t start_ns = now_ns();
	int err = 0;

	for (uint64_t i = 0; !err && (i < move_options.rounds.min_rounds ||
				      now_ns() - start_ns < move_options.rounds.min_time_ns);
	     i++) {
		const struct migration migration = {
			.variant = row->variant,
			.nr_workers = row->nr_workers,
			.nr = subject->nr_pages,
			.end = !subject->at,
		};
		struct outcome outcome;

		atomic_store(moving, true);
		err = migration_run(subject, ferry, &migration, &outcome);
		atomic_store(moving, false);
		subject->at = migration.end;
	}
	return err;
}

int move_stall(struct subject *subject, struct ferry *ferry, struct move_row *row)
{
	atomic_bool moving = false, ending = false;
	struct toucher touchers[2];
	unsigned int nr = 0;
	int err = 0;

	row->reader = cli_alloc(1, sizeof(*row->reader));
	row->writer = cli_alloc(1, sizeof(*row->writer));
	for (; nr < 2 && !err; nr += !err) {
		touchers[nr] = (struct toucher){
			.subject = subject,
			.hist = nr ? row->writer : row->reader,
			.writes = nr,
			.moving = &moving,
			.ending = &ending,
		};
		err = -pthread_create(&touchers[nr].thread, NULL, toucher_main, &touchers[nr]);
	}
	if (!err)
		err = stall_move_rounds(subject, ferry, row, &moving);
	atomic_store(&ending, true);
	while (nr)
		pthread_join(touchers[--nr].thread, NULL);
	return err;
}
