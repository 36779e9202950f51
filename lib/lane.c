// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a worker does for a job: takes a unit (a chunk for the exchange mover, a slice for the
 * kernel mover), serves it, takes the next. Pages that can't be exchanged are gathered and go to
 * the kernel mover when nothing of this lane is out.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/sys.h"
#include "lib/job.h"
#include "lib/mthp.h"
#include "lib/pagemap.h"
#include "lib/uapi.h"

/* Fewer pages in a row than this are not worth two UFFDIO_MOVEs. */
#define MIN_PARCEL_PAGES 4

/* ---- settled pages ---- */

static void note_done(struct lane *lane, unsigned int nr_pages)
{
	struct ferry_job *job = lane->job;

	if (!lane->tally.first_ns)
		lane->tally.first_ns = now_ns() - job->submit_ns;
	atomic_fetch_add_explicit(&job->nr_done, nr_pages, memory_order_relaxed);
}

static void settle(struct lane *lane, uint64_t position, int status)
{
	if (lane->job->status)
		lane->job->status[job_index(lane->job, position)] = status;
}

static void settle_run(struct lane *lane, uint64_t position, unsigned int nr_pages, int status)
{
	struct ferry_job *job = lane->job;

	if (!job->status)
		return;
	if (job->order) {
		for (unsigned int i = 0; i < nr_pages; i++)
			job->status[job->order[position + i]] = status;
		return;
	}
	for (unsigned int i = 0; i < nr_pages; i++)
		job->status[position + i] = status;
}

/* ---- kernel mover ---- */

/* Exact jobs: the call stopped. What else is under way is finished, nothing more is begun. */
static void note_failure(struct ferry_job *job, uint64_t position, long ret)
{
	futex_lock(&job->lock);
	if (ret > 0) {
		job->nr_unmoved += (uint64_t)ret;
	} else if (!job->exact_error || position < job->exact_error_position) {
		job->exact_error = (int)ret;
		job->exact_error_position = position;
	}
	futex_unlock(&job->lock);
	/* The kernel tries all pages with one destination before it stops. */
	if (ret < 0 || !job->one_node)
		job_stop(job, 0);
}

/*
 * Where a huge page is named by several of its addresses, the kernel answers -EBUSY for some of
 * them, which ones depends on the order. So they are looked for again.
 */
static void look_again(struct slice *slice)
{
	for (unsigned int i = 0; i < slice->nr_pages; i++) {
		int status;

		if (slice->status[i] == -EBUSY &&
		    !raw_move_pages(slice->pid, 1, &slice->pages[i], NULL, &status, 0) &&
		    status == slice->nodes[i])
			slice->status[i] = status;
	}
}

/* Adds up a slice that has been through the kernel; statuses stay in the slice. */
static void tally_slice(struct lane *lane, const struct leftover *who)
{
	struct slice *slice = &lane->slice;
	struct tally *tally = &lane->tally;

	for (unsigned int i = 0; i < slice->nr_pages; i++) {
		int status = slice->status[i];

		if (status == slice->nodes[i]) {
			tally->nr_moved++;
			tally->pages_by_mover[FERRY_MOVER_KERNEL]++;
			tally->pages_by_reason[who->reasons[i]]++;
		} else {
			tally->nr_failed++;
			tally->pages_by_reason[FERRY_REASON_FAILED]++;
		}
		if (status != STATUS_UNSET)
			settle(lane, who->positions[i], status);
	}
	note_done(lane, slice->nr_pages);
}

static bool any_failed(const struct slice *slice)
{
	for (unsigned int i = 0; i < slice->nr_pages; i++)
		if (slice->status[i] < 0)
			return true;
	return false;
}

/* Sends the gathered pages through the kernel mover. Nothing of this lane may be out. */
static void serve_slice(struct lane *lane)
{
	struct leftover *left = &lane->leftover;
	struct slice *slice = &lane->slice;
	struct ferry_job *job = lane->job;
	uint64_t start_ns;

	if (!left->nr)
		return;
	slice->pid = job->pid;
	slice->flags = job->flags & FERRY_MOVE_ALL ? FERRY_MPOL_MF_MOVE_ALL : FERRY_MPOL_MF_MOVE;
	slice->nr_pages = left->nr;
	for (unsigned int i = 0; i < left->nr; i++) {
		slice->pages[i] = (void *)left->pages[i];
		slice->nodes[i] = left->nodes[i];
	}
	start_ns = now_ns();
	if (job->exact) {
		long ret = slice_move(slice);

		lane->tally.nr_calls++;
		if (ret)
			note_failure(job, left->positions[0], ret);
	} else {
		lane->tally.nr_calls += slice_move_all(slice);
		if (job->flags & FERRY_MOVE_STOP && any_failed(slice))
			job_stop(job, -EBUSY);
	}
	look_again(slice);
	lane->slice_pages = policy_next_slice(left->nr, now_ns() - start_ns, SLICE_MAX_PAGES);
	tally_slice(lane, left);
	left->nr = 0;
}

static void leave_page(struct lane *lane, uint64_t position, uintptr_t page, int node,
		       enum ferry_reason reason)
{
	struct leftover *left = &lane->leftover;

	left->pages[left->nr] = page;
	left->positions[left->nr] = position;
	left->nodes[left->nr] = node;
	left->reasons[left->nr] = (uint8_t)reason;
	left->nr++;
}

/* ---- a fair start ---- */

/* Less than the scheduler's time slice, more than a chunk takes. */
#define FRESH_NS (1 * NS_PER_MS)

/* CPUs are short, as far as the last second knows. */
#define CONTENDED_NS (1 * NS_PER_SEC)

/* Nobody gives the CPU back so late unless somebody else has used it. */
#define LONG_YIELD_NS (500 * NS_PER_US)

static long times_preempted(void)
{
	struct rusage usage;

	return sys(SYS_getrusage, RUSAGE_THREAD, &usage) ? 0 : usage.ru_nivcsw;
}

static void note_contention(struct lane *lane, uint64_t now)
{
	atomic_store_explicit(&lane->ferry->contended_until_ns, now + CONTENDED_NS,
			      memory_order_relaxed);
}

/* Not by sched_yield(2): that forfeits a time slice's worth of CPU since 6.18. */
static void yield_cpu(struct lane *lane, uint64_t now)
{
	struct timespec ts = {.tv_nsec = 1};

	sys(SYS_nanosleep, &ts, NULL);
	lane->fresh_since_ns = now_ns();
	if (lane->fresh_since_ns - now > LONG_YIELD_NS)
		note_contention(lane, lane->fresh_since_ns);
}

/*
 * Where others want this CPU, a lane that has run for a while would be preempted soon, perhaps with
 * pages out, and they would wait for as long as it does. So it steps back before the take-out and
 * begins with a fresh time slice.
 */
static void breathe(struct lane *lane)
{
	long preempted = times_preempted();
	uint64_t now = now_ns();

	if (preempted != lane->nr_preempted) {
		lane->nr_preempted = preempted;
		lane->fresh_since_ns = now;
		note_contention(lane, now);
	} else if (now < atomic_load_explicit(&lane->ferry->contended_until_ns,
					      memory_order_relaxed) &&
		   now - lane->fresh_since_ns > FRESH_NS) {
		yield_cpu(lane, now);
	}
}

/* ---- parcels ---- */

static void finish(struct lane *lane, struct parcel *parcel)
{
	unsigned int nr_arrived, nr = parcel->nr_pages;
	uintptr_t at = parcel->at;
	bool clean = parcel_finish(lane, parcel);

	nr_arrived = map_count(&parcel->arrived);
	lane->tally.nr_moved += nr_arrived;
	lane->tally.pages_by_mover[FERRY_MOVER_EXCHANGE] += nr_arrived;
	/* A smaller chunk is out for less time, but not if it is the CPU that was missing. */
	if (times_preempted() == lane->nr_preempted &&
	    (nr == PAGES_PER_HUGE || parcel->out_since_ns > lane->ferry->machine.stall_bound_ns))
		lane->chunk_bytes = policy_next_chunk(&lane->ferry->machine, lane->chunk_bytes,
						      parcel->out_since_ns);
	if (nr_arrived == nr) {
		settle_run(lane, parcel->first_position, nr, parcel->node);
	} else {
		for (unsigned int i = 0; i < nr; i++) {
			if (map_test(&parcel->arrived, i))
				settle(lane, parcel->first_position + i, parcel->node);
			else
				leave_page(lane, parcel->first_position + i,
					   at + (uintptr_t)i * PAGE_BYTES, parcel->node,
					   map_test(&parcel->stray, i) ? FERRY_REASON_ENGINE
								       : FERRY_REASON_REFUSED);
		}
	}
	note_done(lane, nr_arrived);
	parcel->next = clean ? lane->free : lane->strays;
	if (clean)
		lane->free = parcel;
	else
		lane->strays = parcel;
}

/* Collects what an engine has finished, waiting for at least one. */
static void collect(struct lane *lane)
{
	struct engine_batch *done[LANE_PARCELS];
	const struct engine_ops *ops = lane->channel->engine->ops;
	uint32_t nr = ops->poll(lane->channel, NS_PER_MS, done, LANE_PARCELS);

	for (uint32_t i = 0; i < nr; i++)
		finish(lane, done[i]->owner);
}

static void drain(struct lane *lane)
{
	while (lane->nr_out)
		collect(lane);
	serve_slice(lane);
}

/* Frames that a hung device held are frames again once its channel is quiet. */
static void release_strays(struct lane *lane)
{
	struct parcel **link = &lane->strays;

	while (*link) {
		struct parcel *parcel = *link;
		const struct engine_ops *ops = parcel->channel->engine->ops;

		if (ops->quiet && !ops->quiet(parcel->channel)) {
			link = &parcel->next;
			continue;
		}
		*link = parcel->next;
		parcel_release(lane, parcel);
		parcel->next = lane->free;
		lane->free = parcel;
	}
}

static struct parcel *get_parcel(struct lane *lane)
{
	unsigned int depth = MIN(lane->channel->engine->depth, LANE_PARCELS);
	struct parcel *parcel;

	while (lane->nr_out && (lane->nr_out >= depth || !lane->free))
		collect(lane);
	if (!lane->free)
		release_strays(lane);
	parcel = lane->free;
	if (parcel)
		lane->free = parcel->next;
	return parcel;
}

/* One stretch of present pages on one node. Returns false if not a single page came out. */
static bool send_parcel(struct lane *lane, const struct unit *unit, unsigned int first,
			unsigned int nr_pages, int source_node, bool huge)
{
	const struct segment *segment = unit->segment;
	uint64_t position = unit->first_position + first;
	uintptr_t at = job_page(lane->job, segment, position);
	struct pool *source = ferry_pool(lane->ferry, source_node, huge);
	struct pool *target = ferry_pool(lane->ferry, segment->node, huge);
	struct parcel *parcel = source && target ? get_parcel(lane) : NULL;
	enum ferry_reason reason = FERRY_REASON_REFUSED;

	if (parcel) {
		parcel->source = source;
		parcel->target = target;
		parcel->huge = huge;
		parcel->node = segment->node;
		parcel->first_position = position;
		switch (parcel_start(lane, parcel, at, nr_pages)) {
		case PARCEL_READY:
			finish(lane, parcel);
			return true;
		case PARCEL_QUEUED:
			return true;
		case PARCEL_NO_FRAMES:
			reason = FERRY_REASON_NO_FRAMES;
			break;
		case PARCEL_CHANGED:
			reason = FERRY_REASON_CHANGED;
			break;
		case PARCEL_REFUSED:
			break;
		}
		parcel->next = lane->free;
		lane->free = parcel;
	} else {
		reason = source && target ? FERRY_REASON_ENGINE : FERRY_REASON_NO_FRAMES;
	}
	for (unsigned int i = 0; i < nr_pages; i++)
		leave_page(lane, position + i, at + (uintptr_t)i * PAGE_BYTES, segment->node,
			   reason);
	return false;
}

/* ---- chunks ---- */

/* Where each page of the chunk is: a node, or what the kernel says of it. */
static void locate(struct lane *lane, const struct unit *unit, uintptr_t addr,
		   const struct page_kinds *kinds, int where[PAGES_PER_HUGE])
{
	unsigned int nr = kinds->huge ? 1 : unit->nr_pages;
	void *pages[PAGES_PER_HUGE];

	if (lane->ferry->nodes.nr_memory == 1) {
		for (unsigned int i = 0; i < unit->nr_pages; i++)
			where[i] = lane->ferry->nodes.first_memory;
		return;
	}
	for (unsigned int i = 0; i < nr; i++)
		pages[i] = (void *)(addr + (uintptr_t)i * PAGE_BYTES);
	if (raw_move_pages(0, nr, pages, NULL, where, 0))
		for (unsigned int i = 0; i < nr; i++)
			where[i] = -EFAULT;
	for (unsigned int i = nr; i < unit->nr_pages; i++)
		where[i] = where[0];
}

enum page_way { WAY_EXCHANGE, WAY_KERNEL, WAY_ABSENT, WAY_IN_PLACE };

static enum page_way way_of(const struct lane *lane, const struct page_kinds *kinds,
			    const int *where, unsigned int page, int node)
{
	if (map_test(&kinds->absent, page))
		return WAY_ABSENT;
	if (!map_test(&kinds->movable, page) || where[page] < 0)
		return WAY_KERNEL;
	if (where[page] == node && !(lane->job->flags & FERRY_MOVE_FRESH))
		return WAY_IN_PLACE;
	return WAY_EXCHANGE;
}

static void serve_stretch(struct lane *lane, const struct unit *unit, unsigned int first,
			  unsigned int nr_pages, enum page_way way, int source_node, bool huge)
{
	uint64_t position = unit->first_position + first;
	const struct segment *segment = unit->segment;

	switch (way) {
	case WAY_ABSENT:
		settle_run(lane, position, nr_pages, -ENOENT);
		lane->tally.nr_failed += nr_pages;
		lane->tally.pages_by_reason[FERRY_REASON_FAILED] += nr_pages;
		note_done(lane, nr_pages);
		return;
	case WAY_IN_PLACE:
		settle_run(lane, position, nr_pages, segment->node);
		lane->tally.nr_in_place += nr_pages;
		note_done(lane, nr_pages);
		return;
	case WAY_EXCHANGE:
		if (nr_pages >= MIN_PARCEL_PAGES ||
		    lane->job->asked_mover == FERRY_MOVER_EXCHANGE) {
			send_parcel(lane, unit, first, nr_pages, source_node, huge);
			return;
		}
		break;
	case WAY_KERNEL:
		break;
	}
	for (unsigned int i = 0; i < nr_pages; i++)
		leave_page(lane, position + i, job_page(lane->job, segment, position + i),
			   segment->node,
			   way == WAY_KERNEL ? FERRY_REASON_REFUSED : FERRY_REASON_SHORT);
}

static bool open_channel(struct lane *lane, int node)
{
	struct engine *engine = lane->ferry->engine;
	struct engine_channel **channel = &lane->channels[node];

	if (lane->channel && lane->channel == *channel)
		return true;
	drain(lane);
	if (!*channel && engine->ops->channel_open(engine, node, channel))
		return false;
	lane->channel = *channel;
	return true;
}

/* What can't be told is taken for one. */
static void leave_out_mthp(uintptr_t addr, unsigned int nr_pages, struct page_kinds *kinds)
{
	struct page_map larger = {0};

	if (mthp_survey(addr, nr_pages, &larger))
		map_set_range(&larger, 0, nr_pages);
	for (unsigned int i = 0; i < PAGE_MAP_WORDS; i++)
		kinds->movable.word[i] &= ~larger.word[i];
}

static void serve_chunk(struct lane *lane, const struct unit *unit)
{
	uintptr_t addr = job_page(lane->job, unit->segment, unit->first_position);
	int node = unit->segment->node;
	int where[PAGES_PER_HUGE];
	struct page_kinds kinds;
	bool huge;

	if (lane->leftover.nr + PAGES_PER_HUGE * (LANE_PARCELS + 1) > SLICE_MAX_PAGES)
		drain(lane);
	if (!open_channel(lane, node) || pagemap_kinds(addr, unit->nr_pages, &kinds)) {
		serve_stretch(lane, unit, 0, unit->nr_pages, WAY_KERNEL, 0, false);
		return;
	}
	if (!kinds.huge && atomic_load_explicit(&lane->ferry->mthp, memory_order_relaxed))
		leave_out_mthp(addr, unit->nr_pages, &kinds);
	locate(lane, unit, addr, &kinds, where);
	if (!lane->nr_out)
		breathe(lane);
	/* A huge page of which only a part is meant moves whole: that is the kernel's to do. */
	huge = kinds.huge && unit->nr_pages == PAGES_PER_HUGE;
	for (unsigned int at = 0; at < unit->nr_pages;) {
		enum page_way way = way_of(lane, &kinds, where, at, node);
		unsigned int end = at + 1;

		while (end < unit->nr_pages && where[end] == where[at] &&
		       way_of(lane, &kinds, where, end, node) == way)
			end++;
		serve_stretch(lane, unit, at, end - at, way, where[at], huge);
		at = end;
	}
}

static void gather_slice(struct lane *lane, const struct unit *unit)
{
	for (unsigned int i = 0; i < unit->nr_pages; i++) {
		uint64_t position = unit->first_position + i;

		leave_page(lane, position, job_page(lane->job, unit->segment, position),
			   job_node(lane->job, unit->segment, position),
			   (enum ferry_reason)unit->segment->reason);
	}
	serve_slice(lane);
}

static void serve(struct lane *lane, const struct unit *unit)
{
	if (unit->segment->mover == FERRY_MOVER_EXCHANGE) {
		serve_chunk(lane, unit);
		return;
	}
	drain(lane);
	gather_slice(lane, unit);
}

/* ---- the lane ---- */

static void check_deadline(struct ferry_job *job)
{
	if (job->deadline_ns && now_ns() >= job->deadline_ns)
		job_stop(job, -ETIMEDOUT);
}

/* Sleeps until the cap allows more, in short steps so that a cancel is heard. */
static void throttle(struct lane *lane)
{
	struct ferry_job *job = lane->job;

	while (job->max_bytes_per_s && !atomic_load(&job->stop)) {
		double bytes = (double)atomic_load(&job->nr_done) * PAGE_BYTES;
		uint64_t due_ns = job->submit_ns +
				  (uint64_t)(bytes / (double)job->max_bytes_per_s * NS_PER_SEC);
		uint64_t now = now_ns();

		if (now >= due_ns)
			return;
		drain(lane);
		check_deadline(job);
		futex_wait(&job->ended, 0, MIN(due_ns - now, 5 * NS_PER_MS));
	}
}

bool lane_work(struct crew_task *task, unsigned int worker)
{
	struct ferry_job *job = CONTAINER_OF(task, struct ferry_job, task);
	struct ferry *ferry = job->ferry;
	struct lane *lane = &ferry->lanes[MIN(worker, ferry->nr_lanes - 1)];
	uint64_t cpu_ns = thread_cpu_ns();
	struct unit unit;

	memset(&lane->tally, 0, sizeof(lane->tally));
	lane->job = job;
	job_begin(job);
	lane->chunk_bytes = job->hands.chunk_bytes;
	if (!lane->slice_pages)
		lane->slice_pages = PAGES_PER_HUGE;
	for (;;) {
		throttle(lane);
		check_deadline(job);
		if (!job_next_unit(job, lane, &unit))
			break;
		serve(lane, &unit);
	}
	drain(lane);
	release_strays(lane);
	lane->tally.worker_cpu_ns = thread_cpu_ns() - cpu_ns;
	job_add_tally(job, &lane->tally);
	lane->job = NULL;
	return false;
}
