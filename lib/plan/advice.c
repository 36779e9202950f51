// SPDX-License-Identifier: LGPL-2.1-or-later
#include "lib/core/context.h"
#include "lib/plan/advice.h"

/* The first segment that is exchanged stands for all: most jobs have one destination. */
static int job_first_exchange_node(const struct ferry_job *job, uint64_t *nr_runs)
{
	int node = -1;

	*nr_runs = 0;
	for (size_t i = 0; i < job->segments.nr; i++) {
		const struct segment *segment = &job->segments.at[i];

		if (segment->mover != FERRY_MOVER_EXCHANGE)
			continue;
		if (!(*nr_runs)++)
			node = segment->node;
	}
	return node;
}

/* Only the exchange mover moves pages that are on their node already. */
static bool job_lets_kernel(const struct ferry_job *job)
{
	return job->requested_mover == FERRY_MOVER_AUTO && !(job->flags & FERRY_MOVE_ALWAYS);
}

static void job_give_to_kernel(struct ferry_job *job)
{
	for (size_t i = 0; i < job->segments.nr; i++) {
		struct segment *segment = &job->segments.at[i];

		if (segment->mover != FERRY_MOVER_EXCHANGE)
			continue;
		segment->mover = FERRY_MOVER_KERNEL;
		segment->reason = FERRY_REASON_SHORT;
	}
}

struct policy_advice plan_take_advice(struct ferry_job *job, const struct policy_load *load)
{
	uint64_t nr_runs;
	int node = job_first_exchange_node(job, &nr_runs);
	struct policy_advice advice =
		cost_model_advise(job, node, load->exchange_pages, nr_runs, load->mode);

	advice.to_kernel = advice.to_kernel && job_lets_kernel(job);
	if (advice.to_kernel)
		job_give_to_kernel(job);
	return advice;
}
