// SPDX-License-Identifier: LGPL-2.1-or-later
/* What has been settled is told to the job; what must go by the kernel mover is gathered and sent.
 */
#include <errno.h>

#include "base/clock.h"
#include "lib/kernel/kernel_mover.h"
#include "lib/kernel/thp_dedup.h"
#include "lib/nodes/pagemap.h"

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
static void look_again(struct lane *lane)
{
	struct slice *slice = &lane->slice;

	if (!slice_fill_by_status(lane, -EBUSY))
		return;
	slice_query(slice);
	for (unsigned int i = 0; i < slice->nr_pages; i++)
		if (slice->status[i] != slice->nodes[i])
			slice->status[i] = -EBUSY;
	slice_note_status(lane);
}

/* Exact jobs have no place in their result for pages that need not be moved. */
static void move_exactly(struct lane *lane)
{
	struct fallback *left = &lane->fallback;
	long ret;

	for (unsigned int i = 0; i < left->nr; i++)
		left->before[i] = STATUS_UNSET;
	slice_fill(lane);
	ret = slice_move(&lane->slice);
	lane->tally.nr_calls++;
	slice_note_status(lane);
	if (ret)
		note_failure(lane->job, left->positions[0], ret);
	look_again(lane);
}

static void move_all(struct lane *lane)
{
	struct slice *slice = &lane->slice;
	bool own = lane->job->own_process;

	lane->dedup.pagemap_fd = own ? pagemap_own() : pagemap_open_of(lane->job->pid);
	slice_fill_deduped(lane);
	slice_find_nodes(lane);
	slice_note_before(lane);
	lane->tally.nr_calls += slice_move_all(slice);
	slice_note_status_deduped(lane);
	if (slice_fill_by_status(lane, STATUS_UNSET)) {
		lane->tally.nr_calls += slice_move_all(slice);
		slice_note_status(lane);
	}
	look_again(lane);
	if (!own && lane->dedup.pagemap_fd >= 0)
		sys(SYS_close, lane->dedup.pagemap_fd);
}

/* Adds up pages that have been through the kernel. */
static void tally_slice(struct lane *lane)
{
	const struct fallback *left = &lane->fallback;
	struct tally *tally = &lane->tally;

	for (unsigned int i = 0; i < left->nr; i++) {
		int status = left->status[i];

		if (status == left->nodes[i]) {
			bool moved = left->before[i] != status;

			tally->nr_moved += moved;
			tally->nr_in_place += !moved;
			tally->pages_by_mover[FERRY_MOVER_KERNEL] += moved;
			tally->pages_by_reason[left->reasons[i]]++;
		} else {
			tally->nr_failed++;
			tally->pages_by_reason[FERRY_REASON_FAILED]++;
		}
		if (status != STATUS_UNSET)
			lane_settle(lane, left->positions[i], status);
	}
	lane_note_done(lane, left->nr);
}

static bool any_failed(const struct fallback *left)
{
	for (unsigned int i = 0; i < left->nr; i++)
		if (left->status[i] < 0)
			return true;
	return false;
}

static void note_pace(struct ferry *ferry, unsigned int nr_pages, uint64_t call_ns)
{
	uint64_t page_ns = atomic_load_explicit(&ferry->page_ns, memory_order_relaxed);

	atomic_store_explicit(&ferry->page_ns, policy_page_ns(page_ns, nr_pages, call_ns),
			      memory_order_relaxed);
}

/* Sends the gathered pages through the kernel mover. Nothing of this lane may be out. */
void fallback_move(struct lane *lane)
{
	struct fallback *left = &lane->fallback;
	struct ferry_job *job = lane->job;
	uint64_t start_ns;

	if (!left->nr)
		return;
	lane->slice.pid = job->pid;
	lane->slice.flags = slice_mpol_flags(job->flags);
	start_ns = now_ns();
	if (job->exact)
		move_exactly(lane);
	else
		move_all(lane);
	note_pace(lane->ferry, left->nr, now_ns() - start_ns);
	if (!job->exact && job->flags & FERRY_MOVE_STOP && any_failed(left))
		job_stop(job, -EBUSY);
	tally_slice(lane);
	left->nr = 0;
}

void fallback_add(struct lane *lane, uint64_t position, uintptr_t page, int node,
		  enum ferry_reason reason)
{
	struct fallback *left = &lane->fallback;

	left->pages[left->nr] = page;
	left->positions[left->nr] = position;
	left->nodes[left->nr] = node;
	left->reasons[left->nr] = (uint8_t)reason;
	left->nr++;
}

void fallback_add_unit(struct lane *lane, const struct unit *unit)
{
	for (unsigned int i = 0; i < unit->nr_pages; i++) {
		uint64_t position = unit->first_position + i;

		fallback_add(lane, position, job_page(lane->job, unit->segment, position),
			     job_node(lane->job, unit->segment, position),
			     (enum ferry_reason)unit->segment->reason);
	}
}
