// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which jobs wait for which, beside a model that looks at every pair. */
#include <criterion/criterion.h>

#include "base/interval.h"
#include "base/vault.h"
#include "lib/core/claims.h"
#include "tests/testlib/random.h"

#define NR_JOBS 200

static struct crew *crew;
static struct ferry *ferry;

static void set_up(void)
{
	struct placement *placement;

	cr_assert_eq(placement_open(NULL, &placement), 0);
	cr_assert_eq(crew_open(placement, 1, &crew), 0);
	placement_close(placement);
	cr_assert_eq(vault_alloc(sizeof(*ferry), (void **)&ferry), 0);
	ferry->crew = crew;
}

TestSuite(claims, .init = set_up);

/* low to high; the exchange mover may take out exchange_low to exchange_high. */
static struct ferry_job *job_of(uintptr_t low, uintptr_t high, uintptr_t exchange_low,
				uintptr_t exchange_high)
{
	struct ferry_job *job;

	cr_assert_eq(vault_alloc(sizeof(*job), (void **)&job), 0);
	job->ferry = ferry;
	job->own_process = true;
	job->low = low;
	job->high = high;
	job->exchange_low = exchange_low;
	job->exchange_high = exchange_high;
	return job;
}

static struct ferry_job *kernel_job(uintptr_t low, uintptr_t high)
{
	return job_of(low, high, UINTPTR_MAX, 0);
}

Test(claims, an_exchange_waits_for_a_kernel_job)
{
	struct ferry_job *first = kernel_job(10, 20), *second = job_of(15, 30, 15, 30);

	cr_assert(claim_acquire(first));
	cr_assert_not(claim_acquire(second));
	cr_assert_not(claim_any());
	claim_release(first);
	cr_assert(claim_acquire(second));
	cr_assert(claim_any());
	claim_release(second);
	cr_assert_not(claim_any());
}

Test(claims, a_kernel_job_waits_for_an_exchange)
{
	struct ferry_job *first = job_of(15, 30, 15, 30), *second = kernel_job(10, 20);

	cr_assert(claim_acquire(first));
	cr_assert_not(claim_acquire(second));
	claim_release(first);
	cr_assert(claim_acquire(second));
	claim_release(second);
}

Test(claims, kernel_jobs_wait_for_none)
{
	struct ferry_job *first = kernel_job(10, 20), *second = kernel_job(10, 20);

	cr_assert(claim_acquire(first));
	cr_assert(claim_acquire(second));
	claim_release(first);
	claim_release(second);
}

static bool overlap(uintptr_t low_a, uintptr_t high_a, uintptr_t low_b, uintptr_t high_b)
{
	return low_a < high_b && low_b < high_a;
}

static bool conflict(const struct ferry_job *a, const struct ferry_job *b)
{
	return overlap(a->low, a->high, b->exchange_low, b->exchange_high) ||
	       overlap(b->low, b->high, a->exchange_low, a->exchange_high);
}

/* Granted, exactly if no older job that is there conflicts. */
static void check_all(struct ferry_job *const *jobs)
{
	for (unsigned int i = 0; i < NR_JOBS; i++) {
		bool blocked = false;

		for (unsigned int k = 0; jobs[i] && k < i; k++)
			blocked |= jobs[k] && conflict(jobs[k], jobs[i]);
		cr_assert(!jobs[i] || claim_acquire(jobs[i]) != blocked, "job %u", i);
	}
}

Test(claims, are_granted_in_order)
{
	struct ferry_job *jobs[NR_JOBS] = {0};
	uint64_t seed = 7;

	for (unsigned int i = 0; i < NR_JOBS; i++) {
		uintptr_t low = 1 + next_random(&seed) % 1000;
		uintptr_t high = low + 2 + next_random(&seed) % 30;

		jobs[i] = next_random(&seed) % 2 ? job_of(low, high, low + 1, high)
						 : kernel_job(low, high);
		claim_acquire(jobs[i]);
	}
	check_all(jobs);
	for (unsigned int left = NR_JOBS; left; left--) {
		unsigned int i = (unsigned int)(next_random(&seed) % NR_JOBS);

		while (!jobs[i])
			i = (i + 1) % NR_JOBS;
		claim_release(jobs[i]);
		vault_free(jobs[i], sizeof(*jobs[i]));
		jobs[i] = NULL;
		check_all(jobs);
	}
}

/* The nodes from the top to the deepest one. */
static unsigned int set_depth(const struct interval *set)
{
	unsigned int left, right;

	if (!set)
		return 0;
	left = set_depth(set->left);
	right = set_depth(set->right);
	return 1 + MAX(left, right);
}

Test(claims, a_large_set_is_not_deep)
{
	const unsigned int nr = 100000;
	struct interval *set = NULL, *nodes = calloc(nr, sizeof(*nodes));

	for (unsigned int i = 0; i < nr; i++) {
		nodes[i] =
			(struct interval){.low = i * 10UL, .high = i * 10UL + 5, .number = i + 1};
		interval_add(&set, &nodes[i]);
	}
	cr_assert_lt(set_depth(set), 80U);
	cr_assert_eq(interval_latest(set, 0, UINTPTR_MAX, 500), &nodes[498]);
	cr_assert_eq(interval_latest(set, 56, 60, nr), NULL);
	cr_assert_eq(interval_latest(set, 56, 71, nr), &nodes[7]);
	for (unsigned int i = 0; i < nr; i++)
		interval_remove(&set, &nodes[(i * 7919UL) % nr]);
	cr_assert_null(set);
	free(nodes);
}
