// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The list of claims. Two jobs must not take out the same page, and a page in flight looks absent
 * to move_pages(2). So a job waits for an older job if their addresses overlap and one of the two
 * exchanges.
 */
#include "base/futex.h"
#include "lib/core/claims.h"

static struct futex_lock claims_lock;
static struct interval *all_claims, *exchange_claims; /* granted or waiting */
static uint64_t nr_claims;                            /* so far */
static _Atomic uint64_t nr_exchanges_begun;
static atomic_uint nr_exchanging;

/* ---- under claims_lock ---- */

static void claim_list_add(struct ferry_job *job)
{
	struct claim *claim = &job->claim;

	nr_claims++;
	claim->all = (struct interval){.low = job->low, .high = job->high, .number = nr_claims};
	claim->exchange = (struct interval){
		.low = job->exchange_low, .high = job->exchange_high, .number = nr_claims};
	if (job->low < job->high)
		interval_add(&all_claims, &claim->all);
	if (job_exchanges(job))
		interval_add(&exchange_claims, &claim->exchange);
	claim->listed = true;
}

static void claim_list_remove(struct ferry_job *job)
{
	if (job->low < job->high)
		interval_remove(&all_claims, &job->claim.all);
	if (job_exchanges(job))
		interval_remove(&exchange_claims, &job->claim.exchange);
	job->claim.listed = false;
}

/* The latest older job that conflicts with this one, or NULL. */
static struct ferry_job *claim_find_blocker(struct ferry_job *job)
{
	const struct claim *claim = &job->claim;
	struct interval *exchange, *any = NULL;

	exchange = interval_latest(exchange_claims, job->low, job->high, claim->all.number);
	if (job_exchanges(job))
		any = interval_latest(all_claims, job->exchange_low, job->exchange_high,
				      claim->all.number);
	if (any && (!exchange || any->number > exchange->number))
		return CONTAINER_OF(any, struct ferry_job, claim.all);
	return exchange ? CONTAINER_OF(exchange, struct ferry_job, claim.exchange) : NULL;
}

static void claim_wait_for(struct ferry_job *job, struct ferry_job *other)
{
	struct claim *claim = &job->claim;

	claim->next_waiter = other->claim.waiters;
	claim->link_to_waiter = &other->claim.waiters;
	if (claim->next_waiter)
		claim->next_waiter->claim.link_to_waiter = &claim->next_waiter;
	other->claim.waiters = job;
}

/*
 * Jobs that conflict run in the order in which they came, so a job waits for the latest older job
 * that it conflicts with. That job usually waits as well. Jobs thus form a queue, and a release
 * usually wakes one job only.
 */
static void claim_grant_or_wait(struct ferry_job *job)
{
	job->claim.blocker = claim_find_blocker(job);
	if (job->claim.blocker) {
		claim_wait_for(job, job->claim.blocker);
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
	struct claim *claim = &job->claim;

	if (!claim->blocker)
		return;
	*claim->link_to_waiter = claim->next_waiter;
	if (claim->next_waiter)
		claim->next_waiter->claim.link_to_waiter = claim->link_to_waiter;
	claim->blocker = NULL;
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
	all_claims = NULL;
	exchange_claims = NULL;
	atomic_store(&claims_lock.word, 0);
	atomic_store(&nr_exchanging, 0);
}
