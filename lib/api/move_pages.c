// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * ferry_move_pages: move_pages(2) with the kernel's own answers. Calls that move no page let the
 * kernel itself check flags, process and nodes (process.h). A request that is long enough then
 * becomes a job; any other is the plain system call.
 */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "base/usermem.h"
#include "base/vault.h"
#include "lib/api/call.h"
#include "lib/api/contexts.h"
#include "lib/api/fork.h"
#include "lib/api/huge_list.h"
#include "lib/api/process.h"
#include "lib/core/claims.h"
#include "lib/core/job.h"
#include "lib/job/lifecycle.h"
#include "lib/plan/plan.h"

struct call {
	struct ferry *ferry;
	int pid;
	unsigned long count;
	void **pages;
	const int *nodes;
	int *status;
	int flags;
	bool begins_huge; /* the first entries may be a list of huge pages */
};

/* ---- the system call itself ---- */

static long call_kernel(const struct call *call)
{
	return sys_move_pages(call->pid, call->count, call->pages, call->nodes, call->status,
			      call->flags);
}

/*
 * The system call takes pages for absent that a job has in flight. If that may have happened, it is
 * made again while no pages are in flight.
 */
static long call_kernel_undisturbed(const struct call *call)
{
	uint64_t generation = claim_generation();
	bool quiet = !claim_any();
	long ret = call_kernel(call);
	uint64_t signals;

	if ((quiet && generation == claim_generation()) || !process_is_own(call->pid))
		return ret;
	/* A signal handler must not fork, or leave by longjmp(3), while take-outs are held up. */
	signals = call_block_signals();
	contexts_drain();
	ret = call_kernel(call);
	contexts_resume();
	call_unblock_signals(signals);
	return ret;
}

/* Counts the pages that the kernel moved as those of a job, under the plan's reason. */
static long call_kernel_counted(const struct call *call, const struct ferry_job *job)
{
	struct tally tally = {.nr_syscalls = 1};
	long ret = call_kernel_undisturbed(call);

	if (ret >= 0 && job->segments.nr) {
		uint64_t nr_moved = call->count - MIN((uint64_t)ret, call->count);

		tally.nr_moved = nr_moved;
		tally.pages_by_mover[FERRY_MOVER_KERNEL] = nr_moved;
		tally.pages_by_reason[job->segments.at[0].reason] = nr_moved;
		context_add_tally(call->ferry, &tally);
	}
	return ret;
}

/* ---- the caller's arrays ---- */

/* Copies the arrays as far as they can be read; *error says what ends them early, or is 0. */
static int call_read_arrays(const struct call *call, struct ferry_job *job, int *error)
{
	size_t pages_bytes = call->count * sizeof(*job->pages);
	size_t nodes_bytes = call->count * sizeof(*job->nodes);
	long got_pages, got_nodes;
	int err;

	job->nr_pages = call->count;
	err = vault_alloc(pages_bytes, (void **)&job->pages);
	if (!err)
		err = vault_alloc(nodes_bytes, (void **)&job->nodes);
	if (!err)
		err = vault_alloc(nodes_bytes, (void **)&job->status);
	if (err)
		return err;
	got_pages = usermem_read(job->pages, call->pages, pages_bytes);
	got_nodes = usermem_read(job->nodes, call->nodes, nodes_bytes);
	if (got_pages < 0 || got_nodes < 0)
		return -ENOSYS;
	*error = 0;
	job->nr_usable = MIN((uint64_t)got_pages / sizeof(*job->pages),
			     (uint64_t)got_nodes / sizeof(*job->nodes));
	if (job->nr_usable < call->count)
		*error = -EFAULT;
	return 0;
}

/* Ends the job before the first bad node. */
static void call_stop_at_bad_node(const struct call *call, struct ferry_job *job, int *error)
{
	int node_error;
	uint64_t nr_good = process_check_nodes(call->pid, call->flags, job->nodes, job->nr_usable,
					       &node_error);

	if (nr_good < job->nr_usable) {
		job->nr_usable = nr_good;
		*error = node_error;
	}
}

/* Leaves the caller's entries as they were where the job has set no status. */
static int call_write_status(const struct call *call, const struct ferry_job *job)
{
	for (uint64_t at = 0; at < job->nr_usable;) {
		uint64_t end = at;
		long len;

		while (end < job->nr_usable && job->status[end] != STATUS_UNSET)
			end++;
		len = (long)((end - at) * sizeof(int));
		if (end > at && usermem_write(call->status + at, job->status + at, len) != len)
			return -EFAULT;
		at = end + 1;
	}
	return 0;
}

/* Writes the same status for all entries. */
static int call_fill_status(const struct call *call, int node)
{
	int some[256];

	for (unsigned int i = 0; i < ARRAY_SIZE(some); i++)
		some[i] = node;
	for (unsigned long at = 0; at < call->count;) {
		unsigned long nr = MIN(call->count - at, (unsigned long)ARRAY_SIZE(some));
		long len = (long)(nr * sizeof(int));

		if (usermem_write(call->status + at, some, (size_t)len) != len)
			return -EFAULT;
		at += nr;
	}
	return 0;
}

/* ---- as a job ---- */

static bool job_is_to_one_node(const struct ferry_job *job)
{
	for (uint64_t i = 1; i < job->nr_usable; i++)
		if (job->nodes[i] != job->nodes[0])
			return false;
	return true;
}

static bool job_names_frames(const struct ferry_job *job)
{
	uintptr_t start = 0, end = 0;

	for (uint64_t i = 0; i < job->nr_usable; i++)
		if ((job->pages[i] < start || job->pages[i] >= end) &&
		    vault_find_reserved(job->pages[i], &start, &end))
			return true;
	return false;
}

/* Turns the call into a planned job. *array_error as by call_read_arrays(), or of a bad node. */
static int call_plan(const struct call *call, struct ferry_job *job, int *array_error)
{
	int err = call_read_arrays(call, job, array_error);

	if (err)
		return err;
	contexts_keep_files(call->ferry);
	job->exact = true;
	job->pid = call->pid;
	job->own_process = process_is_own(call->pid);
	job->flags = call->flags & FERRY_MPOL_MF_MOVE_ALL ? FERRY_MOVE_ALL : 0;
	call_stop_at_bad_node(call, job, array_error);
	job->one_node = job_is_to_one_node(job);
	for (uint64_t i = 0; i < job->nr_usable; i++) {
		job->pages[i] = ALIGN_DOWN(job->pages[i], PAGE_BYTES);
		job->status[i] = STATUS_UNSET;
	}
	job->frames = job->own_process && job_names_frames(job);
	return job->nr_usable ? job_plan(job) : 0;
}

/* True if the plan is one thread that makes system calls: the caller can do that itself. */
static bool job_gains_nothing(const struct ferry_job *job)
{
	return job->nr_usable == job->nr_pages && job->exchange_low >= job->exchange_high &&
	       job->split.nr_lanes <= 1 && !job->frames;
}

static long call_result(const struct call *call, const struct ferry_job *job, int array_error)
{
	uint64_t nr_unmoved = job->nr_unmoved + (job->nr_usable - job->nr_handed_out);

	if (call_write_status(call, job))
		return -EFAULT;
	if (job->exact_error)
		return job->exact_error;
	/* As the kernel does, count all entries behind the stop, good or not. */
	if (nr_unmoved)
		return (long)(nr_unmoved + call->count - job->nr_usable);
	return array_error;
}

static long call_run(const struct call *call, struct ferry_job *job, int array_error)
{
	if (!job->nr_usable)
		return array_error;
	job_run(job);
	return call_result(call, job, array_error);
}

static long call_move_by_job(const struct call *call)
{
	struct ferry_job *job = NULL;
	int array_error = 0;
	int err = job_new(call->ferry, &job);
	long ret;

	if (!err)
		err = call_plan(call, job, &array_error);
	if (err) {
		/* There is no memory for a plan, or no safe way to read the arrays. */
		job_free(job);
		return call_kernel_undisturbed(call);
	}
	ret = job_gains_nothing(job) ? call_kernel_counted(call, job)
				     : call_run(call, job, array_error);
	job_free(job);
	return ret;
}

/* ---- which of them ---- */

static bool call_is_long(const struct call *call)
{
	return call->count >= policy_direct_pages(&call->ferry->machine);
}

static long call_move(const struct call *call)
{
	bool own_list;
	int err, node;

	err = process_check(call->pid, call->flags);
	if (err)
		return err;
	own_list = call->begins_huge && process_is_own(call->pid);
	if (own_list &&
	    huge_list_move(call->ferry, call->count, call->pages, call->nodes, call->flags, &node))
		return call_fill_status(call, node);
	if (own_list || (call->begins_huge && huge_list_elsewhere(call->pid, call->pages)) ||
	    call_is_long(call))
		return call_move_by_job(call);
	return call_kernel_undisturbed(call);
}

static long call_move_without_signals(const struct call *call)
{
	uint64_t signals = call_block_signals();
	long ret = call_move(call);

	call_unblock_signals(signals);
	return ret;
}

/* True for queries, for counts that are too large for a job, and for requests that are short. */
static bool call_is_plain(const struct call *call)
{
	return !call->nodes || call->count > LONG_MAX / sizeof(struct ferry_range) ||
	       (!call->begins_huge && !call_is_long(call));
}

long ferry_move_pages(struct ferry *ferry, int pid, unsigned long count, void **pages,
		      const int *nodes, int *status, int flags)
{
	struct call call = {ferry, pid, count, pages, nodes, status, flags, false};
	long ret;

	if (!ferry) {
		errno = EINVAL;
		return -1;
	}
	atomic_fetch_add_explicit(&ferry->nr_calls, 1, memory_order_relaxed);
	/* A child has no jobs, but may have the parent's locks in the state they were in. */
	if (fork_is_copy(ferry) || !call_enter()) {
		ret = call_kernel(&call);
	} else {
		call.begins_huge = nodes && huge_list_begins(pid, count, pages);
		ret = call_is_plain(&call) ? call_kernel_undisturbed(&call)
					   : call_move_without_signals(&call);
		call_leave();
	}
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}
