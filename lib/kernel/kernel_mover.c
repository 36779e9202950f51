// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Moves the pages in a lane's fallback and settles them. An exact job gets what the kernel answers;
 * any other job continues after pages that cannot be moved.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/vault.h"
#include "lib/kernel/kernel_mover.h"
#include "lib/kernel/thp_dedup.h"
#include "lib/nodes/pagemap.h"

/*
 * Exact jobs: notes the result of a call that did not move all its pages, and stops the job where
 * the kernel would stop. Other lanes then finish their slices and begin no more.
 */
static void exact_note_failure(struct ferry_job *job, uint64_t position, long ret)
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
 * If a huge page is named by several of its addresses, the kernel returns -EBUSY for some of them;
 * for which ones depends on their order. Queries where those pages are, in case they have moved.
 */
static void fallback_query_busy(struct lane *lane)
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

/* The result of an exact job does not count pages in place, so `before` is not needed. */
static void fallback_move_exact(struct lane *lane)
{
	struct fallback *left = &lane->fallback;
	long ret;

	for (unsigned int i = 0; i < left->nr; i++)
		left->before[i] = STATUS_UNSET;
	slice_fill(lane);
	ret = slice_move(&lane->slice);
	lane->tally.nr_syscalls++;
	slice_note_status(lane);
	if (ret)
		exact_note_failure(lane->job, left->positions[0], ret);
	fallback_query_busy(lane);
}

static void fallback_move_all(struct lane *lane)
{
	struct slice *slice = &lane->slice;
	struct own_fd file = OWN_FD_NONE;

	if (!lane->job->own_process)
		pagemap_open_of(lane->job->pid, &file);
	lane->dedup.pagemap_fd = lane->job->own_process ? pagemap_own() : file.fd;
	slice_fill_deduped(lane);
	slice_find_nodes(lane);
	slice_note_before(lane);
	lane->tally.nr_syscalls += slice_move_all(slice);
	slice_note_status_deduped(lane);
	if (slice_fill_by_status(lane, STATUS_UNSET)) {
		lane->tally.nr_syscalls += slice_move_all(slice);
		slice_note_status(lane);
	}
	fallback_query_busy(lane);
	own_fd_drop(&file);
}

/* Accounts for the pages and settles them. */
static void fallback_tally(struct lane *lane)
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

static bool fallback_any_failed(const struct fallback *left)
{
	for (unsigned int i = 0; i < left->nr; i++)
		if (left->status[i] < 0)
			return true;
	return false;
}

static void context_note_page_ns(struct ferry *ferry, unsigned int nr_pages, uint64_t call_ns)
{
	uint64_t page_ns = atomic_load_explicit(&ferry->page_ns, memory_order_relaxed);

	atomic_store_explicit(&ferry->page_ns, policy_page_ns(page_ns, nr_pages, call_ns),
			      memory_order_relaxed);
}

void fallback_move(struct lane *lane)
{
	struct fallback *left = &lane->fallback;
	struct ferry_job *job = lane->job;
	uint64_t start_ns;

	if (!left->nr)
		return;
	lane->most_gathered = MAX(lane->most_gathered, left->nr);
	lane->slice.pid = job->pid;
	lane->slice.flags = slice_mpol_flags(job->flags);
	start_ns = now_ns();
	if (job->exact)
		fallback_move_exact(lane);
	else
		fallback_move_all(lane);
	context_note_page_ns(lane->ferry, left->nr, now_ns() - start_ns);
	if (!job->exact && job->flags & FERRY_MOVE_STOP && fallback_any_failed(left))
		job_stop(job, -EBUSY);
	fallback_tally(lane);
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

/* A frame of a pool counts as absent: it is idle memory that the library may free at any time. */
static void lane_settle_frame(struct lane *lane, uint64_t position)
{
	lane_settle(lane, position, -ENOENT);
	lane->tally.nr_failed++;
	lane->tally.pages_by_reason[FERRY_REASON_FAILED]++;
	lane_note_done(lane, 1);
}

void fallback_add_unit(struct lane *lane, const struct unit *unit)
{
	uintptr_t start = 0, end = 0;
	bool reserved = false;

	for (unsigned int i = 0; i < unit->nr_pages; i++) {
		uint64_t position = unit->first_position + i;
		uintptr_t page = job_page(lane->job, unit->segment, position);

		if (lane->job->own_process && (page < start || page >= end))
			reserved = vault_find_reserved(page, &start, &end);
		if (reserved)
			lane_settle_frame(lane, position);
		else
			fallback_add(lane, position, page,
				     job_node(lane->job, unit->segment, position),
				     (enum ferry_reason)unit->reason);
	}
}
