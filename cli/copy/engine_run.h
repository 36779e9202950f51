/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An engine by itself, driven as the exchange mover drives it. */
#ifndef MIGBENCH_ENGINE_RUN_H
#define MIGBENCH_ENGINE_RUN_H

#include "crew/crew.h"
#include "engines/engine.h"

struct engine_run {
	struct crew *crew; /* NULL: one thread */
	struct engine *engine;
	struct engine_channel *channel;
};

/*
 * Opens by spec with nr_threads in all, the caller's included. On failure -errno and a sentence in
 * why; engine_run_close() takes a zeroed one.
 */
int engine_run_open(struct engine_run *run, const char *spec, unsigned int nr_threads,
		    const struct placement *placement, char *why, size_t why_bytes);
void engine_run_close(struct engine_run *run);

/*
 * Copies all items in batches of at most batch_bytes (one item at least), finishes by CPU what the
 * engine left, and returns the number of those. -ETIMEDOUT: a device still writes; nothing may be
 * said of the destination.
 */
long engine_run_copy(struct engine_run *run, struct engine_item *items, uint32_t nr_items,
		     size_t batch_bytes);

#endif
