// SPDX-License-Identifier: LGPL-2.1-or-later
/* The cost model and the choice: properties that hold on any machine, under any load. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

#include "policy/choose.h"
#include "tests/testlib/random.h"

static uint64_t seed = 1;

static uint64_t below(uint64_t n)
{
	return next_random(&seed) % n;
}

static double between(double low, double high)
{
	return low + (high - low) * (double)below(1 << 20) / (1 << 20);
}

/* Costs of some machine: the defaults, each number up to four times smaller or larger. */
static void profile_random(struct profile *profile)
{
	profile_defaults(profile, 1 + (unsigned int)below(16), 1 + (unsigned int)below(16));
	for (unsigned int at = 0; at < PROFILE_NR_FIELDS; at++) {
		double value = profile_get(profile, at) * exp2(between(-2, 2));
		struct profile_field field;

		profile_field(at, &field);
		profile_set(profile, at, fmin(fmax(value, field.min), field.max));
	}
	profile->fill = 0;
	profile->device[PROFILE_DEVICE_DSA].nr = (double)below(5);
	profile->device[PROFILE_DEVICE_SDXI].nr = (double)below(3);
}

static void question_random(struct profile *profile, struct choose_question *question)
{
	static const uint64_t folios[] = {PAGE_BYTES, 16 * PAGE_BYTES, HUGE_BYTES};
	unsigned int nr_cpus = 1 + (unsigned int)below(64);
	uint64_t folio = folios[below(3)];

	profile_random(profile);
	*question = (struct choose_question){
		.profile = profile,
		.load = {.nr_cpus = nr_cpus,
			 .busy_threads = below(2) ? 0 : between(0, 4 * nr_cpus),
			 .process_cpus = between(0, nr_cpus - 1),
			 .bandwidth_used = between(0, 1),
			 .steal = below(3) ? 0 : between(0, 0.9)},
		.queues = {.max_gather = below(2) ? 64 : 0},
		.run = {.bytes = folio << below(18),
			.folio_bytes = folio,
			.nr_pieces = 1 + (unsigned int)below(4),
			.reach = (enum profile_reach)below(PROFILE_NR_REACHES),
			.exchangeable = below(8)},
		.wishes = {.goal = (enum choose_goal)below(CHOOSE_NR_GOALS),
			   .stall_bound_ns = 100000ULL << below(8),
			   .max_workers = (unsigned int)(below(2) ? 0 : 1 + below(64))},
	};
	for (int kind = 0; kind < PROFILE_NR_DEVICES; kind++)
		question->queues.device[kind] =
			(struct choose_device){.nr = (unsigned int)below(5),
					       .pending_ns = below(2) ? 0 : between(0, 1e6),
					       .slowdown = below(2) ? 1 : between(0.5, 10)};
}

static const struct choose_candidate *winner(const struct choose_decision *decision)
{
	return &decision->of_kind[decision->winner];
}

Test(choose, every_number_is_finite_and_its_parts_add_up)
{
	for (int round = 0; round < 400; round++) {
		struct profile profile;
		struct choose_question question;
		struct choose_decision decision;

		question_random(&profile, &question);
		policy_choose(&question, &decision);
		for (int kind = 0; kind < CHOOSE_NR_KINDS; kind++) {
			const struct choose_candidate *candidate = &decision.of_kind[kind];
			double sum = 0;

			if (candidate->bar)
				continue;
			cr_assert(isfinite(candidate->cost.time_ns) && candidate->cost.time_ns > 0);
			cr_assert(isfinite(candidate->cost.cpu_ns) && candidate->cost.cpu_ns > 0);
			cr_assert(isfinite(candidate->cost.stall_ns) &&
				  candidate->cost.stall_ns > 0);
			for (int term = 0; term < CHOOSE_NR_TERMS; term++)
				sum += candidate->cost.term_ns[term];
			cr_assert_float_eq(sum, candidate->cost.time_ns, sum * 1e-9);
		}
	}
}

Test(choose, nothing_unavailable_is_chosen)
{
	for (int round = 0; round < 1000; round++) {
		struct profile profile;
		struct choose_question question;
		struct choose_decision decision;
		const struct choose_plan *plan;
		enum profile_device_kind device = PROFILE_NR_DEVICES;

		question_random(&profile, &question);
		policy_choose(&question, &decision);
		plan = &winner(&decision)->plan;
		cr_assert_eq(winner(&decision)->bar, CHOOSE_POSSIBLE);
		cr_assert_eq(plan->kind, decision.winner);
		cr_assert_geq(plan->nr_workers, 1);
		cr_assert_leq(plan->nr_workers, question.load.nr_cpus);
		if (question.wishes.max_workers)
			cr_assert_leq(plan->nr_workers, question.wishes.max_workers);
		if (question.wishes.goal == CHOOSE_BACKGROUND)
			cr_assert_eq(plan->nr_workers, 1);
		if (choose_mover(plan->kind) == FERRY_MOVER_KERNEL) {
			cr_assert_eq(plan->nr_devices, 0);
			continue;
		}
		cr_assert(question.run.exchangeable);
		cr_assert_geq(plan->chunk_bytes, question.run.folio_bytes);
		cr_assert_leq(plan->chunk_bytes, HUGE_BYTES);
		cr_assert_leq(plan->gather, question.queues.max_gather ? 64 : 1);
		device = choose_engine_device(choose_engine_of(plan->kind));
		if (device == PROFILE_NR_DEVICES) {
			cr_assert_eq(plan->nr_devices, 0);
			cr_assert_eq(plan->device_part, 0);
			continue;
		}
		cr_assert_leq(plan->nr_devices, question.queues.device[device].nr);
		cr_assert_leq(plan->nr_devices, profile.device[device].nr);
		cr_assert_geq(plan->nr_devices, 1);
		cr_assert(plan->device_part >= 0 && plan->device_part <= 1);
		if (!choose_engine_uses_cpu(choose_engine_of(plan->kind)))
			cr_assert_eq(plan->device_part, 1);
	}
}

Test(choose, the_winner_is_no_worse_than_any_other)
{
	for (int round = 0; round < 500; round++) {
		struct profile profile;
		struct choose_question question;
		struct choose_decision decision;

		question_random(&profile, &question);
		question.wishes.goal = CHOOSE_LEAST_TIME;
		policy_choose(&question, &decision);
		for (int kind = 0; kind < CHOOSE_NR_KINDS; kind++)
			if (!decision.of_kind[kind].bar && decision.of_kind[kind].keeps_bound)
				cr_assert_leq(winner(&decision)->score,
					      decision.of_kind[kind].score);
		/* Nor than the plain call, with which everything could be done. */
		cr_assert_leq(winner(&decision)->score, decision.of_kind[CHOOSE_CALL].score);
		if (decision.rival != decision.winner)
			cr_assert_leq(winner(&decision)->score,
				      decision.of_kind[decision.rival].score);
	}
}

Test(choose, no_plan_takes_less_time_for_more_bytes)
{
	for (int round = 0; round < 2000; round++) {
		struct profile profile;
		struct choose_question question;
		struct choose_plan plan = {
			.kind = (enum choose_kind)below(CHOOSE_NR_KINDS),
			.nr_workers = 1 + (unsigned int)below(16),
			.chunk_bytes = HUGE_BYTES,
			.gather = 1U << below(6),
		};
		struct choose_cost less, more;

		question_random(&profile, &question);
		/* Lanes with one chunk, and groups that are not full, are another matter. */
		question.run.bytes =
			(1 + below(64)) * plan.nr_workers * plan.gather * HUGE_BYTES * 2;
		if (choose_mover(plan.kind) == FERRY_MOVER_EXCHANGE &&
		    choose_engine_device(choose_engine_of(plan.kind)) != PROFILE_NR_DEVICES)
			plan.nr_devices = 1 + (unsigned int)below(4);
		policy_predict(&question, &plan, &less);
		question.run.bytes *= 2;
		policy_predict(&question, &plan, &more);
		cr_assert_geq(more.time_ns, less.time_ns * 0.999, "kind %d", plan.kind);
		cr_assert_geq(more.cpu_ns, less.cpu_ns * 0.999, "kind %d", plan.kind);
	}
}

/* The question whose answers the following tests know. */
static void question_plain(struct profile *profile, struct choose_question *question)
{
	profile_defaults(profile, 4, 8);
	*question = (struct choose_question){
		.profile = profile,
		.load = {.nr_cpus = 32},
		.queues = {.max_gather = 64},
		.run = {.bytes = 256 << 20,
			.folio_bytes = PAGE_BYTES,
			.nr_pieces = 1,
			.reach = PROFILE_REMOTE,
			.exchangeable = true},
		.wishes = {.stall_bound_ns = 1000000},
	};
}

Test(choose, a_page_is_moved_by_the_call_and_much_memory_by_exchange)
{
	struct profile profile;
	struct choose_question question;
	struct choose_decision decision;

	question_plain(&profile, &question);
	policy_choose(&question, &decision);
	cr_assert_eq(choose_mover(decision.winner), FERRY_MOVER_EXCHANGE);
	cr_assert_gt(winner(&decision)->plan.nr_workers, 1);
	question.run.bytes = PAGE_BYTES;
	policy_choose(&question, &decision);
	cr_assert_eq(decision.winner, CHOOSE_CALL);
	question.run.bytes = 256 << 20;
	question.run.exchangeable = false;
	policy_choose(&question, &decision);
	cr_assert_eq(choose_mover(decision.winner), FERRY_MOVER_KERNEL);
	for (int kind = CHOOSE_APART; kind < CHOOSE_NR_KINDS; kind++)
		cr_assert_eq(decision.of_kind[kind].bar, CHOOSE_BAR_MAPPING);
}

Test(choose, a_split_ends_together)
{
	struct profile profile;
	struct choose_question question;
	struct choose_cost both, cpu, device;
	struct choose_plan plan = {.kind = CHOOSE_TOGETHER + CHOOSE_CPU_DSA,
				   .nr_workers = 2,
				   .chunk_bytes = HUGE_BYTES,
				   .gather = 8,
				   .nr_devices = 1};
	struct choose_plan alone = plan;
	double workers_rate = 2 / 0.05;

	question_plain(&profile, &question);
	/* No limits, no delays: one device is as fast as two workers. */
	profile.limit[PROFILE_SAME] = profile.limit[PROFILE_REMOTE] = 1000;
	profile.cluster_limit = 1000;
	profile.device[PROFILE_DEVICE_DSA] = (struct profile_device){.nr = 4, .depth = 32};
	profile.cost[PROFILE_CPU][PROFILE_REMOTE][PROFILE_4K] =
		(struct profile_cost){.ns_per_byte = 0.05};
	profile.cost[PROFILE_DSA][PROFILE_REMOTE][PROFILE_4K] =
		(struct profile_cost){.ns_per_byte = 1 / workers_rate};
	question.queues.device[PROFILE_DEVICE_DSA] = (struct choose_device){.nr = 4, .slowdown = 1};
	policy_predict(&question, &plan, &both);
	cr_assert_float_eq(plan.device_part, 0.5, 1e-6);
	alone.kind = CHOOSE_TOGETHER + CHOOSE_CPU;
	policy_predict(&question, &alone, &cpu);
	alone.kind = CHOOSE_TOGETHER + CHOOSE_DSA;
	policy_predict(&question, &alone, &device);
	cr_assert_float_eq(both.term_ns[CHOOSE_TERM_COPY], cpu.term_ns[CHOOSE_TERM_COPY] / 2, 1);
	cr_assert_float_eq(cpu.term_ns[CHOOSE_TERM_COPY],
			   device.term_ns[CHOOSE_TERM_COPY] + device.term_ns[CHOOSE_TERM_WAIT],
			   cpu.time_ns * 0.1);

	/* A device ten times slower gets a tenth of what it copied, beside workers. */
	question.queues.device[PROFILE_DEVICE_DSA].slowdown = 10;
	policy_predict(&question, &plan, &both);
	cr_assert_float_eq(plan.device_part, 1.0 / 11, 1e-6);
	/* One that is busy for longer than the workers need gets nothing. */
	question.queues.device[PROFILE_DEVICE_DSA].pending_ns = 1e9;
	policy_predict(&question, &plan, &both);
	cr_assert_eq(plan.device_part, 0);
}

Test(choose, a_split_ends_together_on_any_machine)
{
	for (int round = 0; round < 1000; round++) {
		struct profile profile;
		struct choose_question question;
		struct choose_plan plan = {.kind = CHOOSE_TOGETHER + CHOOSE_CPU_DSA,
					   .nr_workers = 1 + (unsigned int)below(8),
					   .chunk_bytes = HUGE_BYTES,
					   .gather = 1U << below(5),
					   .nr_devices = 1 + (unsigned int)below(4)};
		struct choose_cost cost;
		double part, wait;

		question_random(&profile, &question);
		question.load = (struct choose_load){.nr_cpus = 64};
		profile.device[PROFILE_DEVICE_DSA].submit_ns = 0;
		policy_predict(&question, &plan, &cost);
		part = plan.device_part;
		wait = cost.term_ns[CHOOSE_TERM_WAIT];
		/* Neither waits for the other, unless the device gets nothing at all. */
		if (part > 0 && part < 1)
			cr_assert_leq(wait, cost.time_ns * 1e-6);
	}
}

Test(choose, load_never_adds_workers)
{
	for (int round = 0; round < 200; round++) {
		struct profile profile;
		struct choose_question question;
		unsigned int idle_workers = 0;

		question_random(&profile, &question);
		question.wishes.goal = CHOOSE_LEAST_TIME;
		for (unsigned int busy = 0; busy <= 4 * question.load.nr_cpus;
		     busy += 1 + question.load.nr_cpus / 4) {
			struct choose_decision decision;

			question.load.busy_threads = busy;
			policy_choose(&question, &decision);
			if (!busy)
				idle_workers = winner(&decision)->plan.nr_workers;
			cr_assert_leq(winner(&decision)->plan.nr_workers, idle_workers,
				      "round %d: %u busy threads on %u CPUs", round, busy,
				      question.load.nr_cpus);
		}
	}
}

Test(choose, a_wish_is_granted)
{
	for (int round = 0; round < 300; round++) {
		struct profile profile;
		struct choose_question question;
		struct choose_decision by_goal[CHOOSE_NR_GOALS];

		question_random(&profile, &question);
		question.run.exchangeable = true;
		/* The bound comes before any wish. */
		question.wishes.stall_bound_ns = UINT64_MAX;
		for (int goal = 0; goal < CHOOSE_NR_GOALS; goal++) {
			question.wishes.goal = (enum choose_goal)goal;
			policy_choose(&question, &by_goal[goal]);
		}
#define COST(goal) (winner(&by_goal[goal])->cost)
		cr_assert_leq(COST(CHOOSE_LEAST_TIME).time_ns,
			      COST(CHOOSE_LEAST_CPU).time_ns +
				      0.01 * COST(CHOOSE_LEAST_CPU).cpu_ns);
		cr_assert_leq(COST(CHOOSE_LEAST_CPU).cpu_ns,
			      by_goal[0].of_kind[CHOOSE_CALL].cost.cpu_ns +
				      0.021 * by_goal[0].of_kind[CHOOSE_CALL].cost.time_ns);
		cr_assert_leq(COST(CHOOSE_LEAST_CPU).time_ns,
			      by_goal[0].of_kind[CHOOSE_CALL].cost.time_ns);
		cr_assert_leq(COST(CHOOSE_LEAST_STALL).time_ns,
			      by_goal[0].of_kind[CHOOSE_CALL].cost.time_ns);
#undef COST
	}
}

Test(choose, the_stall_bound_is_kept_where_it_can_be)
{
	for (int round = 0; round < 300; round++) {
		struct profile profile;
		struct choose_question question;
		struct choose_decision decision;

		question_random(&profile, &question);
		question.load.busy_threads = 0;
		question.load.steal = 0;
		policy_choose(&question, &decision);
		if (choose_mover(decision.winner) == FERRY_MOVER_EXCHANGE)
			cr_assert_leq(winner(&decision)->cost.stall_ns,
				      (double)question.wishes.stall_bound_ns);
	}
}
