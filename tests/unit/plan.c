// SPDX-License-Identifier: LGPL-2.1-or-later
/* Plans without the exchange mover: the order of pages, duplicates, and coverage by segments. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/vault.h"
#include "lib/job/lifecycle.h"
#include "lib/plan/plan.h"

static struct ferry *ferry_new(void)
{
	struct ferry *ferry;

	cr_assert_eq(vault_alloc(sizeof(*ferry), (void **)&ferry), 0);
	ferry->uffd = -1;
	ferry->machine = (struct policy_machine){
		.nr_workers = 4, .max_chunk_bytes = HUGE_BYTES, .stall_bound_ns = 1000000};
	return ferry;
}

static struct ferry_job *job_new_list(struct ferry *ferry, uint64_t nr)
{
	struct ferry_job *job;

	cr_assert_eq(job_new(ferry, &job), 0);
	job->own_process = true;
	job->nr_pages = job->nr_usable = nr;
	cr_assert_eq(vault_alloc(nr * sizeof(*job->pages), (void **)&job->pages), 0);
	cr_assert_eq(vault_alloc(nr * sizeof(*job->nodes), (void **)&job->nodes), 0);
	return job;
}

/* Segments are in order, and each position is in exactly one of them. */
static void check_coverage(const struct ferry_job *job)
{
	uint64_t next = 0;

	for (size_t i = 0; i < job->segments.nr; i++) {
		cr_assert_eq(job->segments.at[i].first_position, next);
		cr_assert_gt(job->segments.at[i].nr_pages, 0);
		next += job->segments.at[i].nr_pages;
	}
	cr_assert_eq(next, job->nr_usable);
}

static uintptr_t job_page_at(const struct ferry_job *job, uint64_t position)
{
	const struct segment *segment = job->segments.at;

	while (position >= segment->first_position + segment->nr_pages)
		segment++;
	return job_page(job, segment, position);
}

Test(plan, lists_are_worked_on_in_address_order)
{
	struct ferry *ferry = ferry_new();

	srand(4);
	for (int round = 0; round < 200; round++) {
		uint64_t nr = 1 + (uint64_t)rand() % 3000;
		struct ferry_job *job = job_new_list(ferry, nr);
		unsigned int shift = (unsigned int)rand() % 30;
		bool *seen = calloc(nr, sizeof(bool));

		for (uint64_t i = 0; i < nr; i++)
			job->pages[i] =
				((uintptr_t)rand() << shift) * nr * PAGE_BYTES + i * PAGE_BYTES;
		for (uint64_t i = 0; i < nr; i++)
			job->pages[i] &= (1ULL << 47) - PAGE_BYTES;
		cr_assert_eq(job_plan(job), 0);
		check_coverage(job);
		for (uint64_t at = 0; at < nr; at++) {
			uint64_t index = job_index(job, at);

			cr_assert_lt(index, nr);
			cr_assert_not(seen[index]);
			seen[index] = true;
			cr_assert_eq(job_page_at(job, at), job->pages[index]);
			if (at && !job->serial)
				cr_assert_gt(job_page_at(job, at), job_page_at(job, at - 1));
			if (job->serial)
				cr_assert_eq(index, at);
		}
		free(seen);
		job_free(job);
	}
	vault_free(ferry, sizeof(*ferry));
}

Test(plan, a_page_named_twice_keeps_the_callers_order)
{
	struct ferry *ferry = ferry_new();
	struct ferry_job *job = job_new_list(ferry, 100);

	for (uint64_t i = 0; i < 100; i++) {
		job->pages[i] = (1000 - i) * PAGE_BYTES;
		job->nodes[i] = (int)i;
	}
	job->pages[70] = job->pages[3];
	cr_assert_eq(job_plan(job), 0);
	cr_assert(job->serial);
	cr_assert_eq(job->split.nr_lanes, 1);
	/* The claim covers all addresses: the first and the last page of the list bound nothing. */
	for (uint64_t i = 0; i < 100; i++)
		cr_assert(job->low <= job->pages[i] && job->high > job->pages[i]);
	check_coverage(job);
	for (uint64_t i = 0; i < 100; i++) {
		cr_assert_eq(job_page_at(job, i), job->pages[i]);
		cr_assert_eq(job_node(job, job->segments.at, i), (int)i);
	}
	job_free(job);
	vault_free(ferry, sizeof(*ferry));
}

/* As numactl's test does: 20,000 pages, and the destination changes from page to page. */
Test(plan, alternating_destinations_get_one_lane)
{
	struct ferry *ferry = ferry_new();
	struct ferry_job *job;

	ferry->machine.batched_unmap = true;
	for (int alternate = 0; alternate < 2; alternate++) {
		job = job_new_list(ferry, 20000);
		for (uint64_t i = 0; i < 20000; i++) {
			job->pages[i] = (1000 + i) * PAGE_BYTES;
			job->nodes[i] = alternate ? (int)(i % 2) : (int)(i / 10000);
		}
		cr_assert_eq(job_plan(job), 0);
		cr_assert_eq(job->split.nr_lanes, alternate ? 1 : 4);
		job_free(job);
	}
	vault_free(ferry, sizeof(*ferry));
}

/* Pools exist for nodes 0 to 63 only. */
Test(plan, high_nodes_go_to_the_kernel_mover)
{
	static const int nodes[] = {64, 70, 1023};
	struct ferry *ferry = ferry_new();

	ferry->machine.exchange = true;
	for (unsigned int n = 0; n < ARRAY_SIZE(nodes); n++) {
		struct ferry_job *job = job_new_list(ferry, 4096);

		for (uint64_t i = 0; i < 4096; i++) {
			job->pages[i] = (1000 + i) * PAGE_BYTES;
			job->nodes[i] = nodes[n];
		}
		cr_assert_eq(job_plan(job), 0);
		check_coverage(job);
		cr_assert_eq(job->segments.nr, 1U);
		cr_assert_eq(job->segments.at[0].mover, FERRY_MOVER_KERNEL);
		cr_assert_eq(job->segments.at[0].node, nodes[n]);
		job_free(job);
	}
	vault_free(ferry, sizeof(*ferry));
}

Test(plan, ranges_follow_each_other)
{
	struct ferry *ferry = ferry_new();
	struct ferry_job *job;

	cr_assert_eq(job_new(ferry, &job), 0);
	job->nr_ranges = 3;
	cr_assert_eq(vault_alloc(3 * sizeof(*job->ranges), (void **)&job->ranges), 0);
	job->ranges[0] = (struct ferry_range){(void *)0x700000000000, 5 * PAGE_BYTES, 0};
	job->ranges[1] = (struct ferry_range){(void *)0x100000000000, 0, 1};
	job->ranges[2] = (struct ferry_range){(void *)0x200000000000, 600 * PAGE_BYTES, 2};
	job->nr_pages = job->nr_usable = 605;
	cr_assert_eq(job_plan(job), 0);
	check_coverage(job);
	cr_assert_eq(job_page_at(job, 4), 0x700000004000);
	cr_assert_eq(job_page_at(job, 5), 0x200000000000);
	cr_assert_eq(job_page_at(job, 604), 0x200000000000 + 599 * PAGE_BYTES);
	cr_assert_eq(job->low, 0x200000000000);
	cr_assert_eq(job->high, 0x700000005000);
	cr_assert_geq(job->exchange_low, job->exchange_high, "the exchange mover is off");
	job_free(job);
	vault_free(ferry, sizeof(*ferry));
}
