// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The list of claims. Two jobs must not take out the same page, and a page in flight looks absent
 * to move_pages(2). So a job waits for an older job if their addresses overlap and one of the two
 * exchanges.
 */
#include "base/futex.h"
#include "lib/core/claims.h"

static struct futex_lock claims_lock;
static struct ferry_job *latest_claim; /* the head of the list: granted or waiting */
static _Atomic uint64_t nr_exchanges_begun;
static atomic_uint nr_exchanging;

static bool claim_ranges_overlap(uintptr_t low_a, uintptr_t high_a, uintptr_t low_b,
				 uintptr_t high_b)
{
	return low_a < high_b && low_b < high_a;
}

static bool claim_conflicts(const struct ferry_job *a, const struct ferry_job *b)
{
	return claim_ranges_overlap(a->low, a->high, b->exchange_low, b->exchange_high) ||
	       claim_ranges_overlap(b->low, b->high, a->exchange_low, a->exchange_high);
}

/* ---- under claims_lock ---- */

static void claim_list_add(struct ferry_job *job)
{
	job->claim.older = latest_claim;
	job->claim.newer = NULL;
	if (latest_claim)
		latest_claim->claim.newer = job;
	latest_claim = job;
	job->claim.listed = true;
}

static void claim_list_remove(struct ferry_job *job)
{
	struct claim *claim = &job->claim;

	*(claim->newer ? &claim->newer->claim.older : &latest_claim) = claim->older;
	if (claim->older)
		claim->older->claim.newer = claim->newer;
	claim->listed = false;
}

/*
 * Jobs that conflict run in the order in which they came, so a job waits for the latest older job
 * that it conflicts with. That job usually waits as well. Jobs thus form a queue, and a release
 * usually wakes one job only.
 */
static void claim_grant_or_wait(struct ferry_job *job)
{
	struct ferry_job *other = job->claim.older;

	while (other && !claim_conflicts(job, other))
		other = other->claim.older;
	job->claim.blocker = other;
	if (other) {
		job->claim.next_waiter = other->claim.waiters;
		other->claim.waiters = job;
		return;
	}
	job->claim.granted = true;
	if (job_exchanges(job)) {
		atomic_fetch_add(&nr_exchanging, 1);
		atomic_fetch_add(&nr_exchanges_begun, 1);
	}
}

static void claim_stop_waiting(struct ferry_job *job)
{
	struct ferry_job **link;

	if (!job->claim.blocker)
		return;
	for (link = &job->claim.blocker->claim.waiters; *link != job;)
		link = &(*link)->claim.next_waiter;
	*link = job->claim.next_waiter;
	job->claim.blocker = NULL;
}

static void claim_wake_waiters(struct ferry_job *job)
{
	struct ferry_job *waiter = job->claim.waiters;

	job->claim.waiters = NULL;
	while (waiter) {
		struct ferry_job *next = waiter->claim.next_waiter;

		claim_grant_or_wait(waiter);
		if (waiter->claim.granted)
			crew_delay(waiter->ferry->crew, &waiter->task, 0);
		waiter = next;
	}
}

/* ---- the interface ---- */

bool claim_acquire(struct ferry_job *job)
{
	bool granted;

	if (!job->own_process)
		return true;
	futex_lock(&claims_lock);
	if (!job->claim.listed) {
		claim_list_add(job);
		claim_grant_or_wait(job);
	}
	granted = job->claim.granted;
	futex_unlock(&claims_lock);
	return granted;
}

void claim_release(struct ferry_job *job)
{
	if (!job->own_process)
		return;
	futex_lock(&claims_lock);
	if (job->claim.listed) {
		claim_stop_waiting(job);
		claim_list_remove(job);
		if (job->claim.granted && job_exchanges(job))
			atomic_fetch_sub(&nr_exchanging, 1);
		job->claim.granted = false;
		claim_wake_waiters(job);
	}
	futex_unlock(&claims_lock);
}

uint64_t claim_generation(void)
{
	return atomic_load(&nr_exchanges_begun);
}

bool claim_any(void)
{
	return atomic_load(&nr_exchanging) != 0;
}

void claim_forget_all(void)
{
	latest_claim = NULL;
	atomic_store(&claims_lock.word, 0);
	atomic_store(&nr_exchanging, 0);
}
