// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A page that is out looks absent to move_pages(2), and two jobs must not take the same page out.
 * So jobs of this process whose addresses overlap wait for each other if one of them exchanges.
 */
#include "base/futex.h"
#include "lib/job.h"

static struct futex_lock claims_lock;
static struct ferry_job *claims;
static atomic_uint claims_changed; /* futex */
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

static bool try_claim(struct ferry_job *job)
{
	for (const struct ferry_job *other = claims; other; other = other->next_claim)
		if (conflicts(job, other))
			return false;
	job->next_claim = claims;
	claims = job;
	job->claimed = true;
	if (job->exchange_low < job->exchange_high) {
		atomic_fetch_add(&nr_exchanging, 1);
		atomic_fetch_add(&exchange_begun, 1);
	}
	return true;
}

/* In short steps, so that a cancel or the job's deadline is heard. */
#define WAIT_STEP_NS (5 * NS_PER_MS)

bool claim_acquire(struct ferry_job *job)
{
	if (!job->own_process)
		return true;
	while (!atomic_load(&job->stop)) {
		unsigned int seen;
		bool got;

		futex_lock(&claims_lock);
		seen = atomic_load(&claims_changed);
		got = try_claim(job);
		futex_unlock(&claims_lock);
		if (got)
			return true;
		futex_wait(&claims_changed, seen, WAIT_STEP_NS);
		job_check_deadline(job);
	}
	return false;
}

void claim_release(struct ferry_job *job)
{
	if (!job->claimed)
		return;
	futex_lock(&claims_lock);
	for (struct ferry_job **link = &claims; *link; link = &(*link)->next_claim) {
		if (*link == job) {
			*link = job->next_claim;
			break;
		}
	}
	if (job->exchange_low < job->exchange_high)
		atomic_fetch_sub(&nr_exchanging, 1);
	atomic_fetch_add(&claims_changed, 1);
	futex_unlock(&claims_lock);
	futex_wake(&claims_changed, UINT32_MAX);
	job->claimed = false;
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
	claims = NULL;
	atomic_store(&claims_lock.word, 0);
	atomic_store(&nr_exchanging, 0);
}
