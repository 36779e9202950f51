/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An engine by itself, driven as the exchange mover drives it. */
#ifndef MIGBENCH_ENGINE_RUN_H
#define MIGBENCH_ENGINE_RUN_H

#include "cli/counters/counters.h"
#include "crew/crew.h"
#include "engines/engine.h"

struct engine_run {
	struct crew *crew; /* NULL: one thread */
	struct engine *engine;
	struct engine_channel *channel;
	/* Hints for batches, which may be set after opening; 0: none (engine.h). */
	uint32_t folio_bytes;
	bool other_node;
};

/*
 * Opens the engine that spec names, with nr_threads including the caller. Returns 0, or an exit
 * code after a message; run is then zeroed. engine_run_close() accepts a zeroed run.
 */
int engine_run_open(struct engine_run *run, const char *spec, unsigned int nr_threads,
		    const struct placement *placement);
void engine_run_close(struct engine_run *run);

/* Adds the engine's counters. */
void engine_run_count(const struct engine_run *run, struct counters *counters);

/*
 * Copies all items in batches of at most batch_bytes (at least one item). The CPU copies the items
 * that the engine does not; returns their number. -ETIMEDOUT: a device still writes, so the content
 * of the destination is unknown.
 */
long engine_run_copy(struct engine_run *run, struct engine_item *items, uint32_t nr_items,
		     size_t batch_bytes);

#endif
