// SPDX-License-Identifier: LGPL-2.1-or-later
/* The public calls on a job: wait, cancel, progress, result, close. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "lib/api/call.h"
#include "lib/api/fork.h"
#include "lib/job/lifecycle.h"

int ferry_job_fd(struct ferry_job *job)
{
	uint64_t signals = call_block_signals();
	int fd = job_event_fd(job);

	call_unblock_signals(signals);
	return fd;
}

int ferry_job_wait(struct ferry_job *job, uint64_t timeout_ns)
{
	uint64_t until = timeout_ns > UINT64_MAX - now_ns() ? UINT64_MAX : now_ns() + timeout_ns;

	while (!atomic_load(&job->ended)) {
		uint64_t now = now_ns();

		if (now >= until)
			return -ETIMEDOUT;
		futex_wait(&job->ended, 0, until == UINT64_MAX ? FUTEX_FOREVER : until - now);
	}
	return 0;
}

void ferry_job_cancel(struct ferry_job *job)
{
	uint64_t signals;

	if (atomic_load(&job->ended) || fork_is_copy(job->ferry))
		return;
	signals = call_block_signals();
	job_stop(job, -ECANCELED);
	crew_delay(job->ferry->crew, &job->task, 0);
	call_unblock_signals(signals);
}

void ferry_job_progress(struct ferry_job *job, struct ferry_progress *out)
{
	out->nr_pages = job->nr_pages;
	out->nr_done = atomic_load(&job->nr_done);
	out->ended = atomic_load(&job->ended);
}

int ferry_job_result(struct ferry_job *job, struct ferry_result *out)
{
	const struct tally *tally = &job->tally;
	struct ferry_result result;

	if (!out->size)
		return -EINVAL;
	/* Until then lanes may still add to the tally. */
	if (!atomic_load(&job->result_ready))
		return -EBUSY;
	result = (struct ferry_result){
		.size = out->size,
		.error = job->error,
		.nr_pages = job->nr_pages,
		.nr_moved = tally->nr_moved,
		.nr_in_place = tally->nr_in_place,
		.nr_failed = tally->nr_failed,
		.bytes_by_engine = tally->bytes_by_engine,
		.bytes_by_cpu = tally->bytes_by_cpu,
		.nr_syscalls = tally->nr_syscalls,
		.nr_chunks = tally->nr_chunks,
		.wall_ns = job->end_ns - job->submit_ns,
		.worker_cpu_ns = tally->worker_cpu_ns,
		.first_page_ns = tally->first_page_ns,
		.max_stall_ns = tally->max_stall_ns,
		.nr_frames_allocated = tally->nr_frames_allocated,
	};
	memcpy(result.pages_by_mover, tally->pages_by_mover, sizeof(result.pages_by_mover));
	memcpy(result.pages_by_reason, tally->pages_by_reason, sizeof(result.pages_by_reason));
	memcpy(out, &result, MIN(out->size, sizeof(result)));
	return 0;
}

void ferry_job_close(struct ferry_job *job)
{
	uint64_t signals;

	if (!job)
		return;
	if (!fork_is_copy(job->ferry)) {
		ferry_job_cancel(job);
		job_wait_end(job);
	}
	signals = call_block_signals();
	job_free(job);
	call_unblock_signals(signals);
}
