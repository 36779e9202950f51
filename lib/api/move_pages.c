// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * move_pages(2) with the kernel's own answers. What the kernel checks is asked of the kernel: a
 * call with count 0 goes through its checks of flags and process, a call for an address that can't
 * exist through its check of a node.
 */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/vault.h"
#include "lib/plan/plan.h"
#include "lib/job/lifecycle.h"
#include "lib/core/claims.h"
#include "lib/api/fork.h"
#include "lib/api/call.h"
#include "lib/api/huge_list.h"
#include "lib/core/job.h"
#include "lib/api/node_check.h"
#include "base/uapi.h"
#include "base/usermem.h"

struct call {
	struct ferry *ferry;
	int pid;
	unsigned long count;
	void **pages;
	const int *nodes;
	int *status;
	int flags;
	bool begins_huge; /* perhaps a list of huge pages */
};

static long plain(const struct call *call)
{
	return sys_move_pages(call->pid, call->count, call->pages, call->nodes, call->status,
			      call->flags);
}

/*
 * The plain call, but not misled by pages that a job has out just now: they look absent. Then it is
 * made again with everything brought in.
 */
static long plain_undisturbed(const struct call *call)
{
	uint64_t generation = claim_generation();
	bool quiet = !claim_any();
	long ret = plain(call);

	if ((quiet && generation == claim_generation()) || !is_own_process(call->pid))
		return ret;
	contexts_bring_in();
	ret = plain(call);
	contexts_let_out();
	return ret;
}

/* Takes in the arrays as far as they can be read; *error is what ends them early. */
static int snapshot(const struct call *call, struct ferry_job *job, int *error)
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

static void keep_to_good_nodes(const struct call *call, struct ferry_job *job, int *error)
{
	int node_error;
	uint64_t nr_good =
		nodecheck(call->pid, call->flags, job->nodes, job->nr_usable, &node_error);

	if (nr_good < job->nr_usable) {
		job->nr_usable = nr_good;
		*error = node_error;
	}
}

/* Entries that nobody has settled stay as the caller had them. */
static int write_status(const struct call *call, const struct ferry_job *job)
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

static long result_of(const struct call *call, const struct ferry_job *job, int array_error)
{
	uint64_t nr_unmoved = job->nr_unmoved + (job->nr_usable - job->nr_handed_out);

	if (write_status(call, job))
		return -EFAULT;
	if (job->exact_error)
		return job->exact_error;
	/* As the kernel does, entries behind the stop count whether they are good or not. */
	if (nr_unmoved)
		return (long)(nr_unmoved + call->count - job->nr_usable);
	return array_error;
}

static bool is_one_node(const struct ferry_job *job)
{
	for (uint64_t i = 1; i < job->nr_usable; i++)
		if (job->nodes[i] != job->nodes[0])
			return false;
	return true;
}

static int prepare(const struct call *call, struct ferry_job *job, int *array_error)
{
	int err = snapshot(call, job, array_error);

	if (err)
		return err;
	job->exact = true;
	job->pid = call->pid;
	job->own_process = is_own_process(call->pid);
	job->flags = call->flags & FERRY_MPOL_MF_MOVE_ALL ? FERRY_MOVE_ALL : 0;
	keep_to_good_nodes(call, job, array_error);
	job->one_node = is_one_node(job);
	for (uint64_t i = 0; i < job->nr_usable; i++) {
		job->pages[i] = ALIGN_DOWN(job->pages[i], PAGE_BYTES);
		job->status[i] = STATUS_UNSET;
	}
	return job->nr_usable ? job_plan(job) : 0;
}

/* One thread that makes system calls: that can be the caller, with the arrays as they are. */
static bool gains_nothing(const struct ferry_job *job)
{
	return job->nr_usable == job->nr_pages && job->exchange_low >= job->exchange_high &&
	       job->split.nr_lanes <= 1;
}

static long plain_counted(const struct call *call, const struct ferry_job *job)
{
	struct tally tally = {.nr_calls = 1};
	long ret = plain_undisturbed(call);

	if (ret >= 0 && job->segments.nr) {
		uint64_t nr_moved = call->count - MIN((uint64_t)ret, call->count);

		tally.nr_moved = nr_moved;
		tally.pages_by_mover[FERRY_MOVER_KERNEL] = nr_moved;
		tally.pages_by_reason[job->segments.at[0].reason] = nr_moved;
		context_add_tally(call->ferry, &tally);
	}
	return ret;
}

static int write_same_status(const struct call *call, int node)
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

static long move(const struct call *call)
{
	struct ferry_job *job = NULL;
	int array_error = 0;
	bool own, names_huge;
	int err, node;
	long ret;

	err = process_check(call->pid, call->flags);
	if (err)
		return err;
	own = call->begins_huge && is_own_process(call->pid);
	names_huge = own || (call->begins_huge && huge_list_elsewhere(call->pid, call->pages));
	if (own &&
	    huge_list_move(call->ferry, call->count, call->pages, call->nodes, call->flags, &node))
		return write_same_status(call, node);
	if (!names_huge && call->count < policy_direct_pages(&call->ferry->machine))
		return plain_undisturbed(call);
	err = job_new(call->ferry, &job);
	if (!err)
		err = prepare(call, job, &array_error);
	if (err) {
		/* No memory to plan with, or no way to read the arrays safely: as it ever was. */
		job_free(job);
		return plain_undisturbed(call);
	}
	if (gains_nothing(job)) {
		ret = plain_counted(call, job);
		job_free(job);
		return ret;
	}
	ret = array_error;
	if (job->nr_usable) {
		job_run(job);
		ret = result_of(call, job, array_error);
	}
	job_free(job);
	return ret;
}

static long move_planned(const struct call *call)
{
	uint64_t signals = call_block_signals();
	long ret = move(call);

	call_unblock_signals(signals);
	return ret;
}

static bool goes_straight(const struct call *call)
{
	return !call->nodes || call->count > LONG_MAX / sizeof(struct ferry_range) ||
	       (!call->begins_huge && call->count < policy_direct_pages(&call->ferry->machine));
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
	/* A child has no jobs, but perhaps the parent's locks as they were. */
	if (fork_is_parents(ferry) || !call_enter()) {
		ret = plain(&call);
	} else {
		call.begins_huge = nodes && huge_list_begins(pid, count, pages);
		ret = goes_straight(&call) ? plain_undisturbed(&call) : move_planned(&call);
		call_leave();
	}
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}
