// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/vault.h"
#include "lib/job.h"
#include "lib/mthp.h"
#include "lib/pagemap.h"
#include "lib/usermem.h"
#include "lib/ways.h"

static void job_done(struct crew_task *task);

int job_new(struct ferry *ferry, struct ferry_job **out)
{
	void *job;
	int err = vault_alloc(sizeof(struct ferry_job), &job);

	if (err)
		return err;
	*out = job;
	(*out)->ferry = ferry;
	(*out)->task.work = lane_work;
	(*out)->task.done = job_done;
	(*out)->task.bound = true; /* the scheduler wakes two on one CPU and leaves them there */
	(*out)->event_fd = -1;
	(*out)->submit_ns = now_ns();
	return 0;
}

void job_free(struct ferry_job *job)
{
	if (!job)
		return;
	if (job->event_fd >= 0)
		sys(SYS_close, job->event_fd);
	vault_free(job->pages, job->nr_pages * sizeof(*job->pages));
	vault_free(job->nodes, job->nr_pages * sizeof(*job->nodes));
	vault_free(job->status, job->nr_pages * sizeof(*job->status));
	vault_free(job->order, job->nr_pages * sizeof(*job->order));
	vault_free(job->ranges, job->nr_ranges * sizeof(*job->ranges));
	vault_free(job->segments.at, job->segments.room * sizeof(struct segment));
	vault_free(job, sizeof(*job));
}

/* ---- begin and end ---- */

static void register_runs(struct ferry_job *job)
{
	struct ferry *ferry = job->ferry;

	futex_lock(&ferry->runs_lock);
	ferry->nr_registered++;
	for (size_t i = 0; i < job->segments.nr; i++) {
		struct segment *segment = &job->segments.at[i];
		int err;

		if (segment->mover != FERRY_MOVER_EXCHANGE)
			continue;
		err = uffd_register(job->ferry->uffd, segment->addr,
				    segment->nr_pages * PAGE_BYTES);
		if (!err)
			continue;
		segment->mover = FERRY_MOVER_KERNEL;
		segment->reason = err == -EBUSY ? FERRY_REASON_UFFD_BUSY : FERRY_REASON_MAPPING;
	}
	futex_unlock(&ferry->runs_lock);
}

/* A range in which something else has been mapped meanwhile is let go mapping by mapping. */
static void unregister_run(struct ferry_job *job, uintptr_t start, uintptr_t end)
{
	struct mapping mapping;

	if (!uffd_unregister(job->ferry->uffd, start, end - start))
		return;
	while (start < end && !mapping_find(start, &mapping) && mapping.start < end) {
		uintptr_t from = MAX(start, mapping.start), to = MIN(end, mapping.end);

		uffd_unregister(job->ferry->uffd, from, to - from);
		start = mapping.end;
	}
}

static void unregister_runs(struct ferry_job *job)
{
	struct ferry *ferry = job->ferry;

	futex_lock(&ferry->runs_lock);
	for (size_t i = 0; i < job->segments.nr; i++) {
		const struct segment *segment = &job->segments.at[i];
		uintptr_t end = segment->addr + segment->nr_pages * PAGE_BYTES;

		if (segment->mover != FERRY_MOVER_EXCHANGE)
			continue;
		watcher_note_grown(ferry, segment->addr, end);
		unregister_run(job, segment->addr, end);
	}
	/* While others run, pages of theirs may be out of where a stray range is now. */
	if (!--ferry->nr_registered && atomic_load(&ferry->watcher.nr_strays))
		watcher_unregister_strays(ferry);
	futex_unlock(&ferry->runs_lock);
}

/* An administrator may switch them on at any time; looking costs some fifty system calls. */
static void refresh_mthp(struct ferry *ferry)
{
	uint64_t now = now_ns();

	if (now - atomic_load(&ferry->mthp_checked_ns) < NS_PER_SEC)
		return;
	atomic_store(&ferry->mthp_checked_ns, now);
	atomic_store(&ferry->mthp, mthp_enabled());
}

static bool exchanges(const struct ferry_job *job)
{
	return job->exchange_low < job->exchange_high;
}

static void prepare_exchange(struct ferry_job *job)
{
	if (job->ferry->nodes.nr_memory > 1)
		job->stamp = nodes_migration_stamp(job->ferry->vmstat_fd);
	refresh_mthp(job->ferry);
	register_runs(job);
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

static void wait_for_claim(struct ferry_job *job)
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
		if (granted && exchanges(job))
			prepare_exchange(job);
		if (granted || atomic_load(&job->stop)) {
			atomic_store(&job->chunk_bytes, job->hands.chunk_bytes);
			job->begin_ns = now_ns();
			job->begun = true;
		} else {
			wait_for_claim(job);
		}
	}
	begun = job->begun;
	futex_unlock(&job->lock);
	return begun;
}

/* Status entries that nobody has set are the caller's still, or -ECANCELED. */
static void write_user_status(struct ferry_job *job)
{
	for (uint64_t i = 0; i < job->nr_pages; i++)
		if (job->status[i] == STATUS_UNSET)
			job->status[i] = -ECANCELED;
	usermem_write(job->user_status, job->status, job->nr_pages * sizeof(int));
}

static void finish_job(struct ferry_job *job)
{
	uint64_t one = 1;

	if (job->claim.granted && exchanges(job))
		unregister_runs(job);
	claim_release(job);
	job->tally.nr_failed += job->nr_usable - job->nr_handed_out;
	job->tally.pages_by_reason[FERRY_REASON_STOPPED] += job->nr_usable - job->nr_handed_out;
	if (job->user_status)
		write_user_status(job);
	ferry_count(job->ferry, &job->tally);
	job->end_ns = now_ns();
	way_note(job);
	atomic_store(&job->ferry->idle_since_ns, job->end_ns);
	atomic_fetch_sub(&job->ferry->nr_active_jobs, 1);
	watcher_note_frames(job->ferry);
	atomic_store(&job->result_ready, true);
	if (job->event_fd >= 0)
		sys(SYS_write, job->event_fd, &one, sizeof(one));
	/* From here on the job may be freed. */
	atomic_store(&job->ended, 1);
	futex_wake(&job->ended, UINT32_MAX);
}

static void job_done(struct crew_task *task)
{
	finish_job(CONTAINER_OF(task, struct ferry_job, task));
}

/* ---- work ---- */

void job_stop(struct ferry_job *job, int error)
{
	int none = 0;

	if (error)
		atomic_compare_exchange_strong(&job->error, &none, error);
	atomic_store(&job->stop, true);
}

void job_check_deadline(struct ferry_job *job)
{
	if (job->deadline_ns && now_ns() >= job->deadline_ns)
		job_stop(job, -ETIMEDOUT);
}

/* Ends at a chunk's border; a huge page or a large folio is always taken whole. */
static unsigned int chunk_pages(const struct lane *lane, const struct segment *segment,
				uint64_t done)
{
	uintptr_t addr = segment->addr + done * PAGE_BYTES;
	uintptr_t end = segment->addr + segment->nr_pages * PAGE_BYTES;
	uintptr_t stop = ALIGN_DOWN(addr, lane->chunk_bytes) + lane->chunk_bytes;

	if (lane->chunk_bytes < HUGE_BYTES && !(addr & (HUGE_BYTES - 1)) &&
	    end - addr >= HUGE_BYTES && pagemap_is_huge(addr))
		stop = addr + HUGE_BYTES;
	else if (atomic_load_explicit(&lane->ferry->mthp, memory_order_relaxed))
		stop = mthp_stop_between(addr, MIN(stop, end), end);
	return (unsigned int)((MIN(stop, end) - addr) / PAGE_BYTES);
}

static bool is_awaited(const struct ferry_job *job)
{
	return job->hands.nr_lanes > 1 || job->deadline_ns || job->max_bytes_per_s;
}

/* No slice ends inside a huge page: two lanes would move it at once. */
static unsigned int slice_pages(const struct ferry_job *job, const struct lane *lane,
				const struct segment *segment, uint64_t done)
{
	uint64_t left = segment->nr_pages - done;
	uint64_t share = DIV_ROUND_UP(segment->nr_pages, (uint64_t)job->hands.nr_lanes);
	uint64_t page_ns = atomic_load_explicit(&lane->ferry->page_ns, memory_order_relaxed);
	uint64_t most = policy_slice_pages(page_ns, is_awaited(job), SLICE_MAX_PAGES);
	unsigned int nr = (unsigned int)MIN(MIN(left, most), share);
	uint64_t position = segment->first_position + done;

	if (job->serial)
		return (unsigned int)MIN(left, (uint64_t)SLICE_MAX_PAGES);
	while (nr < left && nr < SLICE_MAX_PAGES &&
	       job_page(job, segment, position + nr) >> HUGE_SHIFT ==
		       job_page(job, segment, position + nr - 1) >> HUGE_SHIFT)
		nr++;
	return nr;
}

bool job_next_unit(struct ferry_job *job, struct lane *lane, struct unit *out)
{
	bool any = false;

	futex_lock(&job->lock);
	while (!atomic_load(&job->stop) && job->cursor_segment < job->segments.nr) {
		const struct segment *segment = &job->segments.at[job->cursor_segment];
		uint64_t done = job->cursor_pages;

		if (done == segment->nr_pages) {
			job->cursor_segment++;
			job->cursor_pages = 0;
			continue;
		}
		out->segment = segment;
		out->first_position = segment->first_position + done;
		out->nr_pages = segment->mover == FERRY_MOVER_EXCHANGE
					? chunk_pages(lane, segment, done)
					: slice_pages(job, lane, segment, done);
		job->cursor_pages += out->nr_pages;
		job->nr_handed_out += out->nr_pages;
		any = true;
		break;
	}
	futex_unlock(&job->lock);
	return any;
}

void job_add_tally(struct ferry_job *job, const struct tally *tally)
{
	futex_lock(&job->lock);
	tally_add(&job->tally, tally);
	futex_unlock(&job->lock);
}

void job_start(struct ferry_job *job)
{
	atomic_fetch_add(&job->ferry->nr_active_jobs, 1);
	job->task.nr_wanted = job->hands.nr_lanes;
	/* Here, not in a lane: jobs that overlap run in the order in which they were submitted. */
	if (!claim_acquire(job))
		wait_for_claim(job);
	crew_post(job->ferry->crew, &job->task);
}

static void wait_end(struct ferry_job *job)
{
	while (!atomic_load(&job->ended))
		futex_wait(&job->ended, 0, FUTEX_FOREVER);
}

/*
 * The caller's stack and thread-local storage may be among the pages that are out, so it only helps
 * where none are. If it is busy in another call, the crew serves alone.
 */
void job_run(struct ferry_job *job)
{
	struct ferry *ferry = job->ferry;

	if (exchanges(job) || !claim_acquire(job) || !futex_trylock(&ferry->caller_lane)) {
		job_start(job);
		wait_end(job);
		return;
	}
	atomic_fetch_add(&ferry->nr_active_jobs, 1);
	job->task.done = NULL;
	job->task.nr_wanted = job->hands.nr_lanes - 1;
	if (job->task.nr_wanted)
		crew_run(ferry->crew, &job->task, CREW_CALLER);
	else
		lane_work(&job->task, CREW_CALLER);
	futex_unlock(&ferry->caller_lane);
	finish_job(job);
}

/* ---- public ---- */

int ferry_job_fd(struct ferry_job *job)
{
	return job->event_fd;
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
	if (atomic_load(&job->ended) || fork_is_parents(job->ferry))
		return;
	job_stop(job, -ECANCELED);
	crew_delay(job->ferry->crew, &job->task, 0);
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
	struct ferry_result result = {
		.size = out->size,
		.error = job->error,
		.nr_pages = job->nr_pages,
		.nr_moved = tally->nr_moved,
		.nr_in_place = tally->nr_in_place,
		.nr_failed = tally->nr_failed,
		.bytes_by_engine = tally->bytes_by_engine,
		.bytes_by_cpu = tally->bytes_by_cpu,
		.nr_calls = tally->nr_calls,
		.nr_chunks = tally->nr_chunks,
		.wall_ns = job->end_ns - job->submit_ns,
		.worker_cpu_ns = tally->worker_cpu_ns,
		.first_ns = tally->first_ns,
		.max_out_ns = tally->max_out_ns,
		.nr_frames_made = tally->nr_frames_made,
	};

	if (!out->size)
		return -EINVAL;
	if (!atomic_load(&job->result_ready))
		return -EBUSY;
	memcpy(result.pages_by_mover, tally->pages_by_mover, sizeof(result.pages_by_mover));
	memcpy(result.pages_by_reason, tally->pages_by_reason, sizeof(result.pages_by_reason));
	memcpy(out, &result, MIN(out->size, sizeof(result)));
	return 0;
}

void ferry_job_close(struct ferry_job *job)
{
	if (!job)
		return;
	if (fork_is_parents(job->ferry)) {
		job_free(job);
		return;
	}
	ferry_job_cancel(job);
	wait_end(job);
	job_free(job);
}
