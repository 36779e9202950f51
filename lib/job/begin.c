// SPDX-License-Identifier: LGPL-2.1-or-later
/* Claims and delays of a job. */
#include "base/clock.h"
#include "lib/core/claims.h"
#include "lib/job/begin.h"
#include "lib/nodes/mthp.h"
#include "lib/nodes/threads.h"

/*
 * An administrator may enable mTHP at any time. The check costs some fifty system calls, so it is
 * made once per second at most.
 */
static void context_refresh_mthp(struct ferry *ferry)
{
	uint64_t now = now_ns();

	if (now - atomic_load(&ferry->mthp_checked_ns) < NS_PER_SEC)
		return;
	atomic_store(&ferry->mthp_checked_ns, now);
	atomic_store(&ferry->mthp, mthp_enabled());
}

static void job_prepare_exchange(struct ferry_job *job)
{
	if (job->ferry->nodes.nr_memory > 1)
		job->stamp = nodes_migration_stamp(atomic_load(&job->ferry->vmstat.fd));
	context_refresh_mthp(job->ferry);
	pools_job_begins(&job->ferry->pools, job->nr_usable);
	job->exchanging = true;
	threads_refresh(job->ferry->threads);
}

/*
 * A cancel first stops the job and then ends its delay. So if this function does not see the stop,
 * that end comes after the delay that this function sets. The same holds for a claim that is
 * granted.
 */
void job_delay(struct ferry_job *job, uint64_t until_ns)
{
	struct crew *crew = job->ferry->crew;

	if (job->deadline_ns)
		until_ns = MIN(until_ns, job->deadline_ns);
	crew_delay(crew, &job->task, until_ns);
	if (atomic_load(&job->stop))
		crew_delay(crew, &job->task, 0);
}

void job_delay_for_claim(struct ferry_job *job)
{
	job_delay(job, CREW_NEVER);
	if (claim_acquire(job))
		crew_delay(job->ferry->crew, &job->task, 0);
}

bool job_begin(struct ferry_job *job)
{
	bool begun;

	futex_lock(&job->lock);
	if (!job->begun) {
		bool granted = claim_acquire(job);

		job_check_deadline(job);
		if (granted && job_exchanges(job))
			job_prepare_exchange(job);
		if (granted || atomic_load(&job->stop)) {
			atomic_store(&job->chunk_bytes, job->split.chunk_bytes);
			job->begin_ns = now_ns();
			job->begun = true;
		} else {
			job_delay_for_claim(job);
		}
	}
	begun = job->begun;
	futex_unlock(&job->lock);
	return begun;
}
