// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/clock.h"
#include "lib/core/claims.h"
#include "lib/job/begin.h"
#include "lib/job/runs.h"
#include "lib/nodes/mthp.h"

/* An administrator may switch them on at any time; looking costs some fifty system calls. */
static void refresh_mthp(struct ferry *ferry)
{
	uint64_t now = now_ns();

	if (now - atomic_load(&ferry->mthp_checked_ns) < NS_PER_SEC)
		return;
	atomic_store(&ferry->mthp_checked_ns, now);
	atomic_store(&ferry->mthp, mthp_enabled());
}

static void prepare_exchange(struct ferry_job *job)
{
	if (job->ferry->nodes.nr_memory > 1)
		job->stamp = nodes_migration_stamp(job->ferry->vmstat_fd);
	refresh_mthp(job->ferry);
	runs_register(job);
}

/*
 * A cancel stops the job and then ends its delay, so a stop that this does not see comes with an
 * end of the delay that comes after it. The same holds for a claim that is granted.
 */
void job_rest(struct ferry_job *job, uint64_t until_ns)
{
	struct crew *crew = job->ferry->crew;

	if (job->deadline_ns)
		until_ns = MIN(until_ns, job->deadline_ns);
	crew_delay(crew, &job->task, until_ns);
	if (atomic_load(&job->stop))
		crew_delay(crew, &job->task, 0);
}

void job_wait_for_claim(struct ferry_job *job)
{
	job_rest(job, CREW_NEVER);
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
			prepare_exchange(job);
		if (granted || atomic_load(&job->stop)) {
			atomic_store(&job->chunk_bytes, job->split.chunk_bytes);
			job->begin_ns = now_ns();
			job->begun = true;
		} else {
			job_wait_for_claim(job);
		}
	}
	begun = job->begun;
	futex_unlock(&job->lock);
	return begun;
}
