// SPDX-License-Identifier: LGPL-2.1-or-later
/* Allocates a job, starts it, ends it and frees it. */
#include <errno.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/usermem.h"
#include "base/vault.h"
#include "lib/core/claims.h"
#include "lib/core/exchange_mode.h"
#include "lib/exchange/exchange.h"
#include "lib/job/begin.h"
#include "lib/job/lifecycle.h"
#include "lib/job/windows.h"
#include "lib/job/worker.h"

/* Entries that are not set were not attempted. */
static void job_write_user_status(struct ferry_job *job)
{
	for (uint64_t i = 0; i < job->nr_pages; i++)
		if (job->status[i] == STATUS_UNSET)
			job->status[i] = -ECANCELED;
	usermem_write(job->user_status, job->status, job->nr_pages * sizeof(int));
}

/* The program may have closed it, and have a file of its own under that number. */
static void job_tell_fd(const struct ferry_job *job)
{
	uint64_t one = 1;

	if (own_fd_holds(&job->event))
		sys(SYS_write, job->event.fd, &one, sizeof(one));
}

int job_event_fd(struct ferry_job *job)
{
	int fd;

	futex_lock(&job->event_lock);
	fd = job->event.fd;
	if (fd < 0) {
		fd = own_fd_take(&job->event, sys(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
		if (!fd)
			fd = job->event.fd;
		if (fd >= 0 && atomic_load(&job->result_ready))
			job_tell_fd(job);
	}
	futex_unlock(&job->event_lock);
	return fd;
}

/* A job that has ended keeps its result only. */
static void job_free_plan(struct ferry_job *job)
{
	vault_free(job->pages, job->nr_pages * sizeof(*job->pages));
	vault_free(job->nodes, job->nr_pages * sizeof(*job->nodes));
	vault_free(job->status, job->nr_pages * sizeof(*job->status));
	vault_free(job->order, job->nr_pages * sizeof(*job->order));
	vault_free(job->ranges, job->nr_ranges * sizeof(*job->ranges));
	vault_free(job->segments.at, job->segments.room * sizeof(struct segment));
	job->pages = NULL;
	job->nodes = NULL;
	job->status = NULL;
	job->order = NULL;
	job->ranges = NULL;
	job->segments = (struct segments){0};
}

static void job_finish(struct ferry_job *job)
{
	if (job->exchanging) {
		windows_rest(job);
		pools_job_ends(&job->ferry->pools, job->nr_usable);
	}
	claim_release(job);
	job->tally.nr_failed += job->nr_usable - job->nr_handed_out;
	job->tally.pages_by_reason[FERRY_REASON_STOPPED] += job->nr_usable - job->nr_handed_out;
	if (job->user_status)
		job_write_user_status(job);
	if (job->submitted)
		job_free_plan(job);
	context_add_tally(job->ferry, &job->tally);
	job->end_ns = now_ns();
	exchange_mode_note(job);
	atomic_store(&job->ferry->idle_since_ns, job->end_ns);
	atomic_fetch_sub(&job->ferry->nr_active_jobs, 1);
	watcher_note_frames(job->ferry);
	futex_lock(&job->event_lock);
	atomic_store(&job->result_ready, true);
	job_tell_fd(job);
	futex_unlock(&job->event_lock);
	/* From here on the job may be freed. */
	atomic_store(&job->ended, 1);
	futex_wake(&job->ended, UINT32_MAX);
}

static void job_task_done(struct crew_task *task)
{
	job_finish(CONTAINER_OF(task, struct ferry_job, task));
}

int job_new(struct ferry *ferry, struct ferry_job **out)
{
	void *job;
	int err = vault_alloc(sizeof(struct ferry_job), &job);

	if (err)
		return err;
	*out = job;
	(*out)->ferry = ferry;
	(*out)->task.work = lane_work;
	(*out)->task.done = job_task_done;
	(*out)->task.bound = true; /* unbound, two workers may wake on one CPU and stay there */
	(*out)->event = OWN_FD_NONE;
	(*out)->submit_ns = now_ns();
	return 0;
}

void job_free(struct ferry_job *job)
{
	if (!job)
		return;
	own_fd_drop(&job->event);
	job_free_plan(job);
	vault_free(job, sizeof(*job));
}

void job_start(struct ferry_job *job)
{
	atomic_fetch_add(&job->ferry->nr_active_jobs, 1);
	job->task.nr_wanted = job->split.nr_lanes;
	/* Not in a lane, so that jobs that overlap run in the order in which they are submitted. */
	if (!claim_acquire(job))
		job_delay_for_claim(job);
	crew_post(job->ferry->crew, &job->task);
}

void job_wait_end(struct ferry_job *job)
{
	while (!atomic_load(&job->ended))
		futex_wait(&job->ended, 0, FUTEX_FOREVER);
}

/*
 * The caller's stack and thread-local storage may be among the pages in flight, so the caller helps
 * only with jobs that do not exchange. If another caller uses the lane, the crew works alone.
 */
void job_run(struct ferry_job *job)
{
	struct ferry *ferry = job->ferry;

	if (job_exchanges(job) || !claim_acquire(job) || !futex_trylock(&ferry->caller_lane)) {
		job_start(job);
		job_wait_end(job);
		return;
	}
	atomic_fetch_add(&ferry->nr_active_jobs, 1);
	job->task.done = NULL;
	job->task.nr_wanted = job->split.nr_lanes - 1;
	if (job->task.nr_wanted)
		crew_run(ferry->crew, &job->task, CREW_CALLER);
	else
		lane_work(&job->task, CREW_CALLER);
	futex_unlock(&ferry->caller_lane);
	job_finish(job);
}
