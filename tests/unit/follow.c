// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the library takes from the cost model, and what it does not let the model decide. */
#include <criterion/criterion.h>

#include "policy/follow.h"
#include "tests/testlib/random.h"

static struct profile profile;

static struct choose_question question_new(uint64_t bytes)
{
	return (struct choose_question){
		.profile = &profile,
		.load = {.nr_cpus = 8},
		.queues = {.max_gather = 32},
		.run = {.bytes = bytes,
			.folio_bytes = PAGE_BYTES,
			.nr_pieces = 1,
			.reach = PROFILE_REMOTE,
			.exchangeable = true},
		.wishes = {.stall_bound_ns = 1000000},
	};
}

static void profile_measured(void)
{
	profile_defaults(&profile, 8, 1);
	for (int work = 0; work < PROFILE_NR_WORKS; work++)
		for (int size = 0; size < PROFILE_NR_SIZES; size++)
			profile.cost[work][PROFILE_REMOTE][size].confidence = 1;
}

static void kernel_costs(double fixed_ns, double ns_per_byte)
{
	for (int size = 0; size < PROFILE_NR_SIZES; size++) {
		profile.cost[PROFILE_KERNEL][PROFILE_REMOTE][size].fixed_ns = fixed_ns;
		profile.cost[PROFILE_KERNEL][PROFILE_REMOTE][size].ns_per_byte = ns_per_byte;
	}
}

static struct policy_advice advise(uint64_t bytes, enum policy_mode mode)
{
	struct choose_question question = question_new(bytes);
	struct policy_advice advice;

	policy_advise(&question, CHOOSE_CPU, mode, &advice);
	return advice;
}

static unsigned int crossing(void)
{
	struct choose_question question = question_new(0);

	return policy_crossing_pages(&question);
}

Test(follow, the_cheaper_mover_moves)
{
	profile_measured();
	for (enum policy_mode mode = POLICY_TOGETHER; mode <= POLICY_APART; mode++) {
		kernel_costs(1000, 0.001);
		cr_expect(advise(64 << 20, mode).known);
		cr_expect(advise(64 << 20, mode).to_kernel, "cheap, mode %d", mode);
		kernel_costs(1000, 10);
		cr_expect(advise(64 << 20, mode).known);
		cr_expect_not(advise(64 << 20, mode).to_kernel, "dear, mode %d", mode);
	}
}

Test(follow, only_what_was_measured_counts)
{
	profile_measured();
	kernel_costs(1000, 0.001);
	profile.cost[PROFILE_KERNEL][PROFILE_REMOTE][PROFILE_4K].confidence = 0;
	cr_expect(advise(64 << 20, POLICY_APART).known);
	cr_expect_not(advise(64 << 20, POLICY_APART).to_kernel);
	cr_expect_eq(crossing(), 0);
	profile_measured();
	profile.cost[PROFILE_CPU][PROFILE_REMOTE][PROFILE_4K].confidence = 0.1;
	cr_expect_not(advise(64 << 20, POLICY_APART).known);
	cr_expect_eq(crossing(), 0);
}

Test(follow, workers_that_help_are_used)
{
	profile_measured();
	kernel_costs(1000, 10);
	cr_expect_gt(advise(256 << 20, POLICY_APART).nr_workers, 2);
	/* One worker takes all the bandwidth, and others only interrupt it. */
	profile.limit[PROFILE_REMOTE] = 1;
	profile.move_serial = 1;
	profile.interrupted_ns = 1e6;
	for (int size = 0; size < PROFILE_NR_SIZES; size++)
		profile.cost[PROFILE_CPU][PROFILE_REMOTE][size].ns_per_byte = 1;
	cr_expect_eq(advise(256 << 20, POLICY_APART).nr_workers, 1);
}

Test(follow, together_with_one_worker_is_apart)
{
	struct choose_question question = question_new(64 << 20);
	struct policy_advice advice;

	profile_measured();
	kernel_costs(1000, 10);
	question.queues.max_gather = 0;
	policy_advise(&question, CHOOSE_CPU, POLICY_TOGETHER, &advice);
	cr_expect(advice.known);
	cr_expect_gt(advice.nr_workers, 0);
}

Test(follow, the_crossing_follows_the_costs)
{
	unsigned int before = 1 << 16;

	profile_measured();
	kernel_costs(100, 0.001);
	cr_expect_eq(crossing(), 1 << 16, "nothing beats the call");
	for (double cost = 0.1; cost < 20; cost *= 2) {
		unsigned int now;

		kernel_costs(1000, cost);
		now = crossing();
		cr_expect_leq(now, before, "%g ns per byte", cost);
		before = now;
	}
	cr_expect_eq(before, 32, "a dear call is made only for few pages");
}

Test(follow, advice_stays_within_what_is_permitted)
{
	uint64_t seed = 1;

	for (int round = 0; round < 300; round++) {
		struct choose_question question =
			question_new(PAGE_BYTES << (next_random(&seed) % 18));
		unsigned int nr_crossing;
		struct policy_advice advice;

		profile_defaults(&profile, 1 + next_random(&seed) % 8, 1 + next_random(&seed) % 8);
		for (unsigned int at = 0; at < PROFILE_NR_FIELDS; at++) {
			struct profile_field field;

			/* As a damaged or hostile file may have them. */
			profile_field(at, &field);
			if (next_random(&seed) % 3 == 0)
				profile_set(&profile, at,
					    next_random(&seed) % 2 ? field.min : field.max);
		}
		question.wishes.max_workers = 1 + next_random(&seed) % 16;
		policy_advise(&question, CHOOSE_CPU,
			      next_random(&seed) % 2 ? POLICY_APART : POLICY_TOGETHER, &advice);
		nr_crossing = policy_crossing_pages(&question);
		cr_assert(nr_crossing == 0 || (nr_crossing >= 32 && nr_crossing <= 1 << 16));
		if (!advice.known)
			continue;
		cr_assert(advice.nr_workers >= 1 &&
			  advice.nr_workers <= question.wishes.max_workers);
		cr_assert(advice.chunk_bytes >= PAGE_BYTES && advice.chunk_bytes <= HUGE_BYTES);
	}
}

/* ---- the split ---- */

static struct policy_machine machine_new(void)
{
	return (struct policy_machine){
		.nr_workers = 8,
		.exchange = true,
		.batched_flush = true,
		.batched_unmap = true,
		.max_gather = 32,
		.max_chunk_bytes = 512 << 10,
		.stall_bound_ns = 1000000,
	};
}

static struct policy_split split_by(const struct policy_machine *machine, enum policy_mode mode,
				    unsigned int requested, unsigned int nr_workers)
{
	struct policy_load load = {
		.exchange_pages = 65536,
		.own_process = true,
		.requested_workers = requested,
		.mode = mode,
		.advice = {.known = true, .nr_workers = nr_workers, .chunk_bytes = HUGE_BYTES},
	};

	return policy_split(machine, &load);
}

Test(follow, the_split_takes_the_advice)
{
	struct policy_machine machine = machine_new();
	struct policy_split split = split_by(&machine, POLICY_APART, 0, 3);

	cr_expect_eq(split.nr_lanes, 3);
	cr_expect_eq(split.nr_copiers, 1);
	split = split_by(&machine, POLICY_TOGETHER, 0, 3);
	cr_expect_eq(split.nr_lanes, 1);
	cr_expect_eq(split.nr_copiers, 3);
	split = split_by(&machine, POLICY_TOGETHER, 0, 1);
	cr_expect_eq(split.nr_copiers, 1);
	cr_expect_eq(split.gather, 1);
}

Test(follow, the_split_does_not_exceed_what_is_allowed)
{
	struct policy_machine machine = machine_new();

	cr_expect_eq(split_by(&machine, POLICY_APART, 0, 100).nr_lanes, 8);
	cr_expect_eq(split_by(&machine, POLICY_APART, 2, 100).nr_lanes, 2);
	cr_expect_eq(split_by(&machine, POLICY_TOGETHER, 2, 100).nr_copiers, 2);
	cr_expect_eq(split_by(&machine, POLICY_APART, 0, 4).chunk_bytes, 512 << 10);
	machine.batched_flush = false;
	cr_expect_eq(split_by(&machine, POLICY_APART, 0, 4).nr_lanes, 1);
}

Test(follow, the_threshold_is_the_machines)
{
	struct policy_machine machine = machine_new();
	unsigned int rule = policy_direct_pages(&machine);

	machine.direct_pages = 4096;
	cr_expect_eq(policy_direct_pages(&machine), 4096);
	machine.direct_pages = 0;
	cr_expect_eq(policy_direct_pages(&machine), rule);
}
