// SPDX-License-Identifier: LGPL-2.1-or-later
/* The rules of the policy: properties that hold for any values of its constants. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "policy/policy.h"

static struct policy_machine machine_new(unsigned int nr_workers, bool batched_flush)
{
	return (struct policy_machine){
		.nr_workers = nr_workers,
		.exchange = true,
		.batched_flush = batched_flush,
		.max_chunk_bytes = HUGE_BYTES,
		.stall_bound_ns = NS_PER_MS,
	};
}

static struct policy_run run_exchangeable(uint64_t nr_pages)
{
	return (struct policy_run){.nr_pages = nr_pages, .own_process = true, .exchangeable = true};
}

Test(policy, the_first_obstacle_is_the_reason)
{
	struct policy_machine machine = machine_new(4, true);
	struct policy_run run = run_exchangeable(1 << 20);

	cr_assert_eq(policy_mover(&machine, &run, FERRY_MOVER_AUTO).mover, FERRY_MOVER_EXCHANGE);
	cr_assert_eq(policy_mover(&machine, &run, FERRY_MOVER_KERNEL).reason,
		     FERRY_REASON_REQUESTED);
	run.exchangeable = false;
	cr_assert_eq(policy_mover(&machine, &run, FERRY_MOVER_EXCHANGE).reason,
		     FERRY_REASON_MAPPING);
	run.protected_by_us = true;
	cr_assert_eq(policy_mover(&machine, &run, FERRY_MOVER_EXCHANGE).reason, FERRY_REASON_OWN);
	machine.exchange = false;
	cr_assert_eq(policy_mover(&machine, &run, FERRY_MOVER_EXCHANGE).reason,
		     FERRY_REASON_NO_EXCHANGE);
	run.own_process = false;
	cr_assert_eq(policy_mover(&machine, &run, FERRY_MOVER_EXCHANGE).reason,
		     FERRY_REASON_FOREIGN);
}

Test(policy, short_runs_go_to_the_kernel_mover_unless_requested_otherwise)
{
	for (int batched = 0; batched < 2; batched++) {
		struct policy_machine machine = machine_new(4, batched);
		unsigned int min = policy_min_run_pages(&machine);
		struct policy_run run = run_exchangeable(min);

		cr_assert_eq(policy_mover(&machine, &run, FERRY_MOVER_AUTO).mover,
			     FERRY_MOVER_EXCHANGE);
		run = run_exchangeable(min - 1);
		cr_assert_eq(policy_mover(&machine, &run, FERRY_MOVER_AUTO).reason,
			     FERRY_REASON_SHORT);
		cr_assert_eq(policy_mover(&machine, &run, FERRY_MOVER_EXCHANGE).mover,
			     FERRY_MOVER_EXCHANGE);
	}
}

Test(policy, a_reason_goes_with_the_kernel_mover_only)
{
	for (int bits = 0; bits < 64; bits++) {
		struct policy_machine machine = machine_new(4, bits & 1);
		struct policy_run run = {
			.nr_pages = bits & 2 ? 5 : 5000,
			.own_process = bits & 4,
			.exchangeable = bits & 8,
			.protected_by_us = bits & 16,
		};

		machine.exchange = bits & 32;
		for (int mover = 0; mover < FERRY_NR_MOVERS; mover++) {
			struct policy_choice choice =
				policy_mover(&machine, &run, (enum ferry_mover)mover);

			cr_assert(choice.mover == FERRY_MOVER_KERNEL ||
				  choice.mover == FERRY_MOVER_EXCHANGE);
			cr_assert_eq(choice.mover == FERRY_MOVER_KERNEL,
				     choice.reason != FERRY_REASON_NONE);
		}
	}
}

Test(policy, the_split_is_within_its_limits)
{
	srand(3);
	for (int round = 0; round < 5000; round++) {
		struct policy_machine machine =
			machine_new(1 + (unsigned int)rand() % 63, rand() & 1);
		struct policy_load load = {
			.exchange_pages = (uint64_t)rand() % (1ULL << rand() % 30),
			.kernel_pages = (uint64_t)rand() % (1ULL << rand() % 30),
			.requested_workers = (unsigned int)rand() % 80,
			.mode = (enum policy_mode)(rand() % 2),
		};
		struct policy_split split;

		machine.max_gather = (unsigned int)rand() % 3 * 16;
		machine.max_chunk_bytes = PAGE_BYTES << rand() % 10;
		split = policy_split(&machine, &load);
		cr_assert_geq(split.nr_lanes, 1);
		cr_assert_leq(split.nr_lanes, machine.nr_workers);
		cr_assert_geq(split.nr_copiers, 1);
		cr_assert_leq(split.nr_copiers, machine.nr_workers);
		if (load.requested_workers)
			cr_assert_leq(MAX(split.nr_lanes, split.nr_copiers),
				      load.requested_workers);
		cr_assert_geq(split.gather, 1);
		cr_assert_leq(split.gather, MAX(machine.max_gather, 1));
		/* Either several lanes, or several copiers for one lane. */
		cr_assert(split.nr_lanes == 1 || (split.nr_copiers == 1 && split.gather == 1));
		if (!load.exchange_pages)
			continue;
		cr_assert_leq(split.chunk_bytes, machine.max_chunk_bytes);
		cr_assert_geq(split.chunk_bytes, PAGE_BYTES);
		cr_assert_eq(split.chunk_bytes & (split.chunk_bytes - 1), 0);
	}
}

Test(policy, chunks_follow_the_stall_bound)
{
	struct policy_machine machine = machine_new(4, true);
	uint64_t chunk = HUGE_BYTES;

	for (int i = 0; i < 20; i++) {
		uint64_t next = policy_next_chunk(&machine, chunk, 5 * NS_PER_MS);

		cr_assert_leq(next, chunk);
		chunk = next;
	}
	cr_assert_lt(chunk, HUGE_BYTES);
	cr_assert_geq(chunk, PAGE_BYTES);
	cr_assert_eq(policy_next_chunk(&machine, chunk, NS_PER_MS / 2), chunk, "within the bound");
	for (int i = 0; i < 20; i++)
		chunk = policy_next_chunk(&machine, chunk, 1000);
	cr_assert_eq(chunk, HUGE_BYTES);
}

Test(policy, slices_follow_the_time_per_page)
{
	unsigned int first = policy_slice_pages(0, true, 4096);

	cr_assert_gt(first, 1);
	cr_assert_lt(first, 4096);
	cr_assert_eq(policy_slice_pages(10 * NS_PER_US, true, 4096), 2000);
	cr_assert_eq(policy_slice_pages(10 * NS_PER_US, false, 1 << 20), 20000, "not awaited");
	cr_assert_eq(policy_slice_pages(1, false, 4096), 4096);
	cr_assert_geq(policy_slice_pages(UINT64_MAX, true, 4096), 1);
	cr_assert_eq(policy_slice_pages(UINT64_MAX, true, 1), 1);
}

Test(policy, the_time_per_page_changes_in_steps)
{
	uint64_t page_ns = policy_page_ns(0, 1024, 1024 * 2000);

	cr_assert_geq(page_ns, 2000);
	cr_assert_leq(page_ns, 2001);
	cr_assert_eq(policy_page_ns(page_ns, 1, NS_PER_SEC), page_ns, "a call of too few pages");
	cr_assert_eq(policy_page_ns(page_ns, 1024, NS_PER_SEC), 2 * page_ns);
	cr_assert_eq(policy_page_ns(page_ns, 1024, 1024), page_ns / 2);
}

Test(policy, page_by_page_flushes_allow_one_lane)
{
	struct policy_machine machine = machine_new(8, false);
	struct policy_load load = {.kernel_pages = 1 << 16, .own_process = true};

	cr_assert_eq(policy_split(&machine, &load).nr_lanes, 1);
	load.own_process = false;
	cr_assert_eq(policy_split(&machine, &load).nr_lanes, 8,
		     "flushes do not interrupt this process");
	load.own_process = true;
	load.kernel_huge = true;
	cr_assert_eq(policy_split(&machine, &load).nr_lanes, 8, "huge pages need few flushes");
	load.kernel_huge = false;
	machine.batched_unmap = true;
	cr_assert_eq(policy_split(&machine, &load).nr_lanes, 8);

	load.exchange_pages = 1 << 16;
	load.kernel_pages = 0;
	load.mode = POLICY_APART;
	cr_assert_eq(policy_split(&machine, &load).nr_lanes, 1, "MOVE flushes page by page");
}

Test(policy, lists_that_scatter_get_one_lane)
{
	struct policy_machine machine = {
		.nr_workers = 8, .batched_unmap = true, .max_chunk_bytes = HUGE_BYTES};
	struct policy_load load = {
		.kernel_pages = 20000, .kernel_runs = 20000, .own_process = true};

	cr_assert_eq(policy_split(&machine, &load).nr_lanes, 1U);
	load.kernel_runs = 20;
	cr_assert_gt(policy_split(&machine, &load).nr_lanes, 1U);
	/* Threads of another process do not interrupt each other for it. */
	load.kernel_runs = 20000;
	load.own_process = false;
	cr_assert_gt(policy_split(&machine, &load).nr_lanes, 1U);
}

Test(policy, together_one_lane_gathers_for_all)
{
	struct policy_machine machine = machine_new(8, true);
	struct policy_load load = {.exchange_pages = 1 << 16, .mode = POLICY_TOGETHER};
	struct policy_split split;

	machine.max_gather = 16;
	split = policy_split(&machine, &load);
	cr_assert_eq(split.nr_lanes, 1);
	cr_assert_eq(split.nr_copiers, 8);
	cr_assert_eq(split.gather, 16);
	load.requested_workers = 1;
	cr_assert_eq(policy_split(&machine, &load).gather, 1, "no second worker to copy");
	load.requested_workers = 0;
	load.mode = POLICY_APART;
	cr_assert_eq(policy_split(&machine, &load).nr_lanes, 8);
	load.mode = POLICY_TOGETHER;
	load.kernel_pages = 1 << 16;
	machine.batched_unmap = true;
	load.own_process = true;
	cr_assert_eq(policy_split(&machine, &load).nr_lanes, 8,
		     "the kernel mover has work for all lanes");
	load.kernel_pages = 0;
	machine.max_gather = 0;
	cr_assert_eq(policy_split(&machine, &load).nr_lanes, 8,
		     "the engine cannot hold batches back");
}

Test(policy, gathering_follows_the_stall_bound)
{
	struct policy_machine machine = machine_new(4, true);
	unsigned int gather = 1;

	machine.max_gather = 32;
	/* Each chunk takes an eighth of the stall bound. */
	for (int i = 0; i < 50; i++)
		gather = policy_next_gather(&machine, gather, gather * machine.stall_bound_ns / 8);
	cr_assert_eq(gather, 8);
	cr_assert_eq(policy_next_gather(&machine, 8, 100 * machine.stall_bound_ns), 4,
		     "an outlier halves it at most");
	for (int i = 0; i < 50; i++)
		gather = policy_next_gather(&machine, gather, 2 * machine.stall_bound_ns);
	cr_assert_eq(gather, 1);
	for (int i = 0; i < 50; i++)
		gather = policy_next_gather(&machine, gather, 0);
	cr_assert_eq(gather, 32);
}

Test(policy, short_jobs_are_not_sampled)
{
	struct policy_machine machine = machine_new(4, true);

	machine.max_gather = 32;
	cr_assert(!policy_worth_sampling(&machine, 1000));
	cr_assert(policy_worth_sampling(&machine, 1 << 16));
	machine.nr_workers = 1;
	cr_assert(!policy_worth_sampling(&machine, 1 << 16));
	machine = machine_new(4, false);
	machine.max_gather = 32;
	cr_assert(!policy_worth_sampling(&machine, 1 << 16));
}
