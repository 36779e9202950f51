/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests of engines share: opening an engine and a channel, or ending the test; a crew. */
#ifndef FERRY_TEST_ENGINES_H
#define FERRY_TEST_ENGINES_H

#include <stdlib.h>

#include "crew/crew.h"
#include "engines/engine.h"
#include "tests/testlib/tap.h"

static inline struct engine *open_engine(const char *spec, struct crew *crew)
{
	struct engine_env env = {.crew = crew};
	struct engine *engine;
	char why[1024];

	if (engine_open(spec, &env, &engine, why, sizeof(why))) {
		tap_note("%s: %s", spec, why);
		exit(1);
	}
	return engine;
}

static inline struct engine_channel *open_channel(struct engine *engine)
{
	struct engine_channel *channel;

	if (engine->ops->channel_open(engine, -1, &channel))
		exit(1);
	return channel;
}

/* A crew of nr_workers, whatever number of CPUs the machine has. */
static inline struct crew *open_crew(unsigned int nr_workers)
{
	struct placement *real, *placement;
	struct crew *crew;

	if (placement_open(NULL, &real))
		exit(1);
	placement = malloc(sizeof(*placement) + nr_workers * sizeof(placement->places[0]));
	*placement = *real;
	placement->nr_places = nr_workers;
	for (unsigned int i = 0; i < nr_workers; i++)
		placement->places[i] = real->places[i % real->nr_places];
	if (crew_open(placement, nr_workers, &crew))
		exit(1);
	free(placement);
	placement_close(real);
	return crew;
}

#endif
