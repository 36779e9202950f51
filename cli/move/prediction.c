// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/move/options.h"
#include "cli/move/prediction.h"
#include "cli/profile/reach.h"
#include "lib/profile/machine_key.h"
#include "lib/profile/profile_cache.h"
#include "pageferry.h"
#include "policy/follow.h"

/* Chunks that the cpu engine copies together (engine.h, hold). */
#define MAX_GATHER 32

void prediction_open(struct prediction *prediction, const struct placement *placement,
		     const int node[2])
{
	struct profile_found *found = cli_alloc(1, sizeof(*found));
	struct profile_key here;

	machine_key_read(&here, ferry_version());
	profile_cache_find(NULL, &here, found);
	*prediction = (struct prediction){
		.known = found->found && profile_is_measured(&found->profile),
		.profile = found->profile,
		.reach = profile_reach_between(node),
		.nr_cpus = placement->nr_places,
	};
	free(found);
}

/* Of the ways to exchange by the CPU, the one that takes least. */
static double decision_exchange_ns(const struct choose_decision *decision)
{
	const struct choose_candidate *apart = &decision->of_kind[CHOOSE_APART + CHOOSE_CPU];
	const struct choose_candidate *together = &decision->of_kind[CHOOSE_TOGETHER + CHOOSE_CPU];

	return together->bar ? apart->cost.time_ns
			     : MIN(apart->cost.time_ns, together->cost.time_ns);
}

/* The model has costs of contiguous folios of this process, and of the CPU engine. */
static bool prediction_fits(const struct prediction *prediction, enum variant variant)
{
	return prediction->known && !move_options.scattered && !move_options.other_process &&
	       (!move_options.engine || !strncmp(move_options.engine, "cpu", 3)) &&
	       (variant == VARIANT_AUTO || variant == VARIANT_EXCHANGE);
}

double prediction_gb_per_s(const struct prediction *prediction, enum variant variant,
			   size_t folio_bytes, unsigned int nr_workers)
{
	const struct choose_question question = {
		.profile = &prediction->profile,
		.load = {.nr_cpus = prediction->nr_cpus,
			 .busy_threads = (double)move_options.nr_busy,
			 .process_cpus = (double)MIN(move_options.nr_busy,
						     (uint64_t)prediction->nr_cpus - 1)},
		.queues = {.max_gather = MAX_GATHER},
		.run = {.bytes = move_options.total_bytes,
			.folio_bytes = folio_bytes,
			.nr_pieces = 1,
			.reach = prediction->reach,
			.exchangeable = true},
		.wishes = {.stall_bound_ns = move_options.stall_bound_ns
						     ? move_options.stall_bound_ns
						     : NS_PER_MS,
			   .max_workers = nr_workers},
	};
	struct choose_decision decision;
	double ns;

	if (!prediction_fits(prediction, variant) || !policy_follows(&question, CHOOSE_CPU))
		return 0;
	policy_choose(&question, &decision);
	ns = variant == VARIANT_EXCHANGE ? decision_exchange_ns(&decision)
					 : decision.of_kind[decision.winner].cost.time_ns;
	return (double)move_options.total_bytes / ns;
}
