// SPDX-License-Identifier: LGPL-2.1-or-later
/* What has been settled is told to the job; what must go by the kernel mover is gathered and sent.
 */
#include <errno.h>

#include "base/clock.h"
#include "lib/lane.h"

/* ---- settled pages ---- */

void note_done(struct lane *lane, unsigned int nr_pages)
{
	struct ferry_job *job = lane->job;

	if (!lane->tally.first_ns)
		lane->tally.first_ns = now_ns() - job->submit_ns;
	atomic_fetch_add_explicit(&job->nr_done, nr_pages, memory_order_relaxed);
}

void settle(struct lane *lane, uint64_t position, int status)
{
	if (lane->job->status)
		lane->job->status[job_index(lane->job, position)] = status;
}

void settle_run(struct lane *lane, uint64_t position, unsigned int nr_pages, int status)
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
			bool moved = slice->before[i] != status;

			tally->nr_moved += moved;
			tally->nr_in_place += !moved;
			tally->pages_by_mover[FERRY_MOVER_KERNEL] += moved;
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
void serve_slice(struct lane *lane)
{
	struct leftover *left = &lane->leftover;
	struct slice *slice = &lane->slice;
	struct ferry_job *job = lane->job;
	uint64_t start_ns;

	if (!left->nr)
		return;
	slice->pid = job->pid;
	slice->flags = mpol_flags(job->flags);
	slice->nr_pages = left->nr;
	for (unsigned int i = 0; i < left->nr; i++) {
		slice->pages[i] = (void *)left->pages[i];
		slice->nodes[i] = left->nodes[i];
	}
	start_ns = now_ns();
	if (job->exact) {
		long ret;

		/* Its result has no place for pages that need not be moved. */
		slice_look_away(slice);
		ret = slice_move(slice);
		lane->tally.nr_calls++;
		if (ret)
			note_failure(job, left->positions[0], ret);
	} else {
		slice_look(slice);
		lane->tally.nr_calls += slice_move_all(slice);
		if (job->flags & FERRY_MOVE_STOP && any_failed(slice))
			job_stop(job, -EBUSY);
	}
	look_again(slice);
	lane->slice_pages = policy_next_slice(left->nr, now_ns() - start_ns, SLICE_MAX_PAGES);
	tally_slice(lane, left);
	left->nr = 0;
}

void leave_page(struct lane *lane, uint64_t position, uintptr_t page, int node,
		enum ferry_reason reason)
{
	struct leftover *left = &lane->leftover;

	left->pages[left->nr] = page;
	left->positions[left->nr] = position;
	left->nodes[left->nr] = node;
	left->reasons[left->nr] = (uint8_t)reason;
	left->nr++;
}

void gather_slice(struct lane *lane, const struct unit *unit)
{
	for (unsigned int i = 0; i < unit->nr_pages; i++) {
		uint64_t position = unit->first_position + i;

		leave_page(lane, position, job_page(lane->job, unit->segment, position),
			   job_node(lane->job, unit->segment, position),
			   (enum ferry_reason)unit->segment->reason);
	}
}
