// SPDX-License-Identifier: LGPL-2.1-or-later
/* Chooses the queues: the best of every device that opens, or those named in the parameters. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/dsa/dsa.h"
#include "engines/dsa/model.h"

static bool names_include(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = names; *p; p += strcspn(p, "+"), p += *p == '+')
		if (!strncmp(p, name, len) && (p[len] == '+' || !p[len]))
			return true;
	return false;
}

/* Shared queues come first, for they leave room for others; then priority, then size. */
static bool queue_is_better(const struct dsa_queue *a, const struct dsa_queue *b)
{
	if (a->shared != b->shared)
		return a->shared;
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a->size > b->size;
}

struct search {
	struct dsa_engine *engine;
	struct dsa_queue *queues;
	bool tried[DSA_MAX_QUEUES];
	int nr_queues;
	char reason[768]; /* of the last refusal */
};

static bool search_try_queue(struct search *s, int i)
{
	struct dsa_engine *engine = s->engine;
	struct dsa_portal *portal = &engine->portals[engine->nr_portals];
	struct dsa_trouble trouble;
	char remedy[192];
	int err;

	s->tried[i] = true;
	if (engine->nr_portals == DSA_MAX_PORTALS)
		return false;
	if (dsa_queue_check(&s->queues[i], &trouble) != DSA_LINKS_HOLD) {
		snprintf(s->reason, sizeof(s->reason), "%s" ENGINE_REMEDY "%s", trouble.what,
			 trouble.remedy);
		return false;
	}
	err = dsa_portal_open(portal, &s->queues[i], NULL, 0, engine->options.timeout_ns);
	if (err) {
		dsa_portal_remedy(portal, err, remedy, sizeof(remedy));
		snprintf(s->reason, sizeof(s->reason), "%s: %s" ENGINE_REMEDY "%s",
			 s->queues[i].name, portal->refusals, remedy);
		return false;
	}
	engine->nr_portals++;
	return true;
}

static int search_best_untried(const struct search *s, uint32_t device)
{
	int best = -1;

	for (int i = 0; i < s->nr_queues; i++)
		if (!s->tried[i] && s->queues[i].device_id == device &&
		    (best < 0 || queue_is_better(&s->queues[i], &s->queues[best])))
			best = i;
	return best;
}

/* One queue keeps a device busy; the others are left to other processes. */
static void search_open_best(struct search *s)
{
	for (int i = 0; i < s->nr_queues; i++) {
		uint32_t device = s->queues[i].device_id;
		int best;

		if (i && s->queues[i - 1].device_id == device)
			continue;
		while ((best = search_best_untried(s, device)) >= 0)
			if (search_try_queue(s, best))
				break;
	}
}

static int search_open_named(struct search *s, const char *names, char *why, size_t why_bytes)
{
	uint32_t nr_wanted = 1, nr_found = 0;

	for (const char *p = names; *p; p++)
		nr_wanted += *p == '+';
	for (int i = 0; i < s->nr_queues; i++) {
		if (!names_include(names, s->queues[i].name))
			continue;
		nr_found++;
		if (!search_try_queue(s, i)) {
			snprintf(why, why_bytes, "dsa: %s", s->reason);
			return -ENODEV;
		}
	}
	if (nr_found == nr_wanted)
		return 0;
	snprintf(why, why_bytes, "dsa: %s: no such queue" ENGINE_REMEDY "accel-config list -i",
		 names);
	return -ENODEV;
}

static int engine_open_hardware(struct dsa_engine *engine, char *why, size_t why_bytes)
{
	struct search *s = calloc(1, sizeof(*s));
	const char *via;
	int err = -ENOMEM;

	if (s)
		s->queues = calloc(DSA_MAX_QUEUES, sizeof(*s->queues));
	if (!s || !s->queues)
		goto out;
	s->engine = engine;
	s->nr_queues = dsa_discover(s->queues, DSA_MAX_QUEUES, &via, why, why_bytes);
	err = MIN(s->nr_queues, 0);
	if (err)
		goto out;
	if (engine->options.queues[0]) {
		err = search_open_named(s, engine->options.queues, why, why_bytes);
	} else {
		search_open_best(s);
		if (!engine->nr_portals) {
			snprintf(why, why_bytes, "dsa: %s", s->reason);
			err = -ENODEV;
		}
	}
out:
	if (s)
		free(s->queues);
	free(s);
	return err;
}

int dsa_open_portals(struct dsa_engine *engine, char *why, size_t why_bytes)
{
	uint64_t most = ENGINE_MAX_ITEM_BYTES;
	int err;

	if (engine->options.model)
		err = dsa_model_start(engine->options.model, &engine->model, engine->portals,
				      &engine->nr_portals, why, why_bytes);
	else
		err = engine_open_hardware(engine, why, why_bytes);
	if (err)
		return err;
	for (uint32_t i = 0; i < engine->nr_portals; i++)
		most = MIN(most, engine->portals[i].queue.max_transfer_bytes);
	engine->max_piece_bytes = (uint32_t)most;
	return 0;
}

/* The model closes first: until then it may write to memory of the portals. */
void dsa_close_portals(struct dsa_engine *engine)
{
	dsa_model_shut(engine->model);
	for (uint32_t i = 0; i < engine->nr_portals; i++)
		dsa_portal_close(&engine->portals[i]);
}
