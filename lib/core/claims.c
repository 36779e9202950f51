// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A page that is out looks absent to move_pages(2), and two jobs must not take the same page out.
 * So jobs of this process whose addresses overlap wait for each other if one of them exchanges.
 * A job that waits holds no worker: it is delayed until its claim is granted.
 */
#include "base/futex.h"
#include "lib/core/claims.h"

static struct futex_lock claims_lock;
static struct ferry_job *newest; /* of all that hold a claim or wait for one, in their order */
static _Atomic uint64_t exchange_begun;
static atomic_uint nr_exchanging;

static bool overlaps(uintptr_t low_a, uintptr_t high_a, uintptr_t low_b, uintptr_t high_b)
{
	return low_a < high_b && low_b < high_a;
}

static bool conflicts(const struct ferry_job *a, const struct ferry_job *b)
{
	return overlaps(a->low, a->high, b->exchange_low, b->exchange_high) ||
	       overlaps(b->low, b->high, a->exchange_low, a->exchange_high);
}

/* Callers of the functions below hold the lock. */

static void list_add(struct ferry_job *job)
{
	job->claim.older = newest;
	job->claim.newer = NULL;
	if (newest)
		newest->claim.newer = job;
	newest = job;
	job->claim.listed = true;
}

static void list_remove(struct ferry_job *job)
{
	struct claim *claim = &job->claim;

	*(claim->newer ? &claim->newer->claim.older : &newest) = claim->older;
	if (claim->older)
		claim->older->claim.newer = claim->newer;
	claim->listed = false;
}

/*
 * Jobs that overlap run in the order in which they came. So a job waits for the newest of those in
 * its way: one that waits itself, mostly, and most releases let one job go on and disturb no other.
 */
static void grant_or_wait(struct ferry_job *job)
{
	struct ferry_job *other = job->claim.older;

	while (other && !conflicts(job, other))
		other = other->claim.older;
	job->claim.blocker = other;
	if (other) {
		job->claim.next_waiter = other->claim.waiters;
		other->claim.waiters = job;
		return;
	}
	job->claim.granted = true;
	if (job->exchange_low < job->exchange_high) {
		atomic_fetch_add(&nr_exchanging, 1);
		atomic_fetch_add(&exchange_begun, 1);
	}
}

static void stop_waiting(struct ferry_job *job)
{
	struct ferry_job **link;

	if (!job->claim.blocker)
		return;
	for (link = &job->claim.blocker->claim.waiters; *link != job;)
		link = &(*link)->claim.next_waiter;
	*link = job->claim.next_waiter;
	job->claim.blocker = NULL;
}

static void wake_waiters(struct ferry_job *job)
{
	struct ferry_job *waiter = job->claim.waiters;

	job->claim.waiters = NULL;
	while (waiter) {
		struct ferry_job *next = waiter->claim.next_waiter;

		grant_or_wait(waiter);
		if (waiter->claim.granted)
			crew_delay(waiter->ferry->crew, &waiter->task, 0);
		waiter = next;
	}
}

/* Callers of the functions below do not. */

bool claim_acquire(struct ferry_job *job)
{
	bool granted;

	if (!job->own_process)
		return true;
	futex_lock(&claims_lock);
	if (!job->claim.listed) {
		list_add(job);
		grant_or_wait(job);
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
		stop_waiting(job);
		list_remove(job);
		if (job->claim.granted && job->exchange_low < job->exchange_high)
			atomic_fetch_sub(&nr_exchanging, 1);
		job->claim.granted = false;
		wake_waiters(job);
	}
	futex_unlock(&claims_lock);
}

uint64_t claim_generation(void)
{
	return atomic_load(&exchange_begun);
}

bool claim_any(void)
{
	return atomic_load(&nr_exchanging) != 0;
}

void claims_forget(void)
{
	newest = NULL;
	atomic_store(&claims_lock.word, 0);
	atomic_store(&nr_exchanging, 0);
}
