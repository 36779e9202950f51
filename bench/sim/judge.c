// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The policy beside fixed choices: what somebody gets who sets mover, mode, engine, workers, chunk
 * and gather once and for all. Fixed choices keep the stall bound as the library does: they gather
 * no more than fits into it.
 */
#include <float.h>

#include "bench/sim/sim.h"

const char *const sim_load_names[4] = {"none", "half", "all", "4x"};

void sim_load_level(const struct sim_machine *machine, unsigned int level, struct sim_load *out)
{
	const unsigned int half_cpus[4] = {0, 1, 2, 8};

	*out = (struct sim_load){.busy_threads = machine->nr_cpus * half_cpus[level] / 2};
}

static double simulate_plan(const struct sim_cell *cell, const struct choose_plan *plan,
			    double *stall_ns)
{
	struct sim_job job = {
		.bytes = cell->bytes,
		.folio_bytes = cell->folio_bytes,
		.reach = cell->reach,
		.kernel_copies = choose_mover(plan->kind) == FERRY_MOVER_KERNEL,
		.plan = *plan,
	};
	struct sim_result result;

	sim_run(cell->machine, &cell->load, &job, &result);
	*stall_ns = result.stall_ns;
	return result.time_ns;
}

/* A group that gathers more than fits into the stall bound is no choice, even where it is fast. */
static bool judge_keeps_bound(const struct sim_cell *cell, const struct choose_question *question,
			      const struct choose_plan *plan)
{
	struct sim_cell idle = *cell;
	double stall_ns;

	if (choose_mover(plan->kind) == FERRY_MOVER_KERNEL || plan->gather < 2)
		return true;
	idle.load = (struct sim_load){.busy_threads = 0};
	simulate_plan(&idle, plan, &stall_ns);
	return stall_ns <= (double)question->wishes.stall_bound_ns;
}

static void judge_fixed(struct sim_cell *cell, const struct choose_question *question,
			struct choose_plan plan)
{
	double time_ns, stall_ns;
	struct choose_cost cost;

	/* The split is the one part that no fixed choice can set: it is the model's. */
	policy_predict(question, &plan, &cost);
	if (!judge_keeps_bound(cell, question, &plan))
		return;
	time_ns = simulate_plan(cell, &plan, &stall_ns);
	if (time_ns < cell->best_ns) {
		cell->best_ns = time_ns;
		cell->best = plan;
	}
}

static void judge_fixed_exchange(struct sim_cell *cell, const struct choose_question *question,
				 struct choose_plan plan)
{
	static const uint64_t chunks[] = {HUGE_BYTES, HUGE_BYTES / 8};
	static const unsigned int gathers[] = {4, 16};

	for (unsigned int c = 0; c < ARRAY_SIZE(chunks); c++) {
		plan.chunk_bytes = chunks[c];
		if (chunks[c] < cell->folio_bytes)
			break;
		plan.gather = 1;
		if (!choose_is_together(plan.kind)) {
			judge_fixed(cell, question, plan);
			continue;
		}
		for (unsigned int g = 0; plan.nr_workers > 1 && g < ARRAY_SIZE(gathers); g++) {
			plan.gather = gathers[g];
			judge_fixed(cell, question, plan);
		}
	}
}

static void judge_kind(struct sim_cell *cell, const struct choose_question *question,
		       enum choose_kind kind)
{
	static const unsigned int worker_counts[] = {1, 4, 16, 64};
	unsigned int last = 0;
	struct choose_plan plan = {.kind = kind};

	if (choose_mover(kind) == FERRY_MOVER_EXCHANGE) {
		enum profile_device_kind device = choose_engine_device(choose_engine_of(kind));

		if (device != PROFILE_NR_DEVICES)
			plan.nr_devices = cell->machine->device[device].nr;
		if (device != PROFILE_NR_DEVICES && !plan.nr_devices)
			return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(worker_counts); i++) {
		plan.nr_workers = MIN(worker_counts[i], cell->machine->nr_cpus);
		if (plan.nr_workers == last)
			break;
		last = plan.nr_workers;
		if (kind == CHOOSE_SLICES)
			judge_fixed(cell, question, plan);
		else
			judge_fixed_exchange(cell, question, plan);
	}
}

void sim_judge(const struct profile *profile, struct sim_cell *cell)
{
	struct sim_job job = {
		.bytes = cell->bytes, .folio_bytes = cell->folio_bytes, .reach = cell->reach};
	struct choose_plan call = {.kind = CHOOSE_CALL, .nr_workers = 1};
	struct choose_decision decision;
	struct choose_question question;
	double stall_ns;

	sim_question(cell->machine, profile, &cell->load, &job, &question);
	policy_choose(&question, &decision);
	cell->policy = decision.of_kind[decision.winner].plan;
	cell->predicted_ns = decision.of_kind[decision.winner].cost.time_ns;
	cell->policy_ns = simulate_plan(cell, &cell->policy, &stall_ns);
	cell->kernel_ns = simulate_plan(cell, &call, &stall_ns);
	cell->best_ns = cell->kernel_ns;
	cell->best = call;
	for (int kind = CHOOSE_SLICES; kind < CHOOSE_NR_KINDS; kind++)
		judge_kind(cell, &question, (enum choose_kind)kind);
}
