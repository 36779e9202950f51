// SPDX-License-Identifier: LGPL-2.1-or-later
/* ferry_submit: checks a request, copies it, and starts a planned job for it. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/sort.h"
#include "base/usermem.h"
#include "base/vault.h"
#include "lib/api/call.h"
#include "lib/api/contexts.h"
#include "lib/api/fork.h"
#include "lib/api/options.h"
#include "lib/api/process.h"
#include "lib/core/job.h"
#include "lib/core/slice.h"
#include "lib/job/lifecycle.h"
#include "lib/plan/plan.h"

#define KNOWN_FLAGS                                                                   \
	(FERRY_MOVE_ALL | FERRY_MOVE_ALWAYS | FERRY_MOVE_STOP | FERRY_MOVE_TOGETHER | \
	 FERRY_MOVE_APART)

static int request_check(const struct ferry_request *request)
{
	bool has_ranges = request->nr_ranges, has_pages = request->nr_pages;

	if (request->flags & ~KNOWN_FLAGS || has_ranges == has_pages)
		return -EINVAL;
	if (request->flags & FERRY_MOVE_TOGETHER && request->flags & FERRY_MOVE_APART)
		return -EINVAL;
	if ((unsigned int)request->mover >= FERRY_NR_MOVERS)
		return -EINVAL;
	if (request->chunk_bytes &&
	    (request->chunk_bytes & (request->chunk_bytes - 1) ||
	     request->chunk_bytes < PAGE_BYTES || request->chunk_bytes > HUGE_BYTES))
		return -EINVAL;
	if (request->nr_pages > INT64_MAX / sizeof(void *) ||
	    request->nr_ranges > INT64_MAX / sizeof(struct ferry_range))
		return -EINVAL;
	return 0;
}

static int user_copy_in(void **out, const void *user, size_t len_bytes)
{
	int err = vault_alloc(len_bytes, out);
	long got;

	if (err)
		return err;
	got = usermem_read(*out, user, len_bytes);
	if (got < 0)
		return (int)got;
	return got == (long)len_bytes ? 0 : -EFAULT;
}

static int request_copy_list(struct ferry_job *job, const struct ferry_request *request)
{
	int err;

	job->nr_pages = request->nr_pages;
	err = user_copy_in((void **)&job->pages, request->pages, job->nr_pages * sizeof(void *));
	if (!err)
		err = user_copy_in((void **)&job->nodes, request->nodes,
				   job->nr_pages * sizeof(int));
	for (uint64_t i = 0; !err && i < job->nr_pages; i++)
		job->pages[i] = ALIGN_DOWN(job->pages[i], PAGE_BYTES);
	return err;
}

/* Extends a range to whole pages. */
static int range_align(struct ferry_range *range)
{
	uintptr_t start = (uintptr_t)range->addr, end = start + range->len_bytes;

	if (end < start || end > UINTPTR_MAX - PAGE_BYTES)
		return -EINVAL;
	start = ALIGN_DOWN(start, PAGE_BYTES);
	range->addr = (void *)start;
	range->len_bytes = range->len_bytes ? ALIGN_UP(end, PAGE_BYTES) - start : 0;
	return 0;
}

/* In ascending order a range overlaps another one only if it overlaps the one before. */
static bool ranges_overlap_in_order(const struct ferry_range *ranges, size_t nr,
				    const uint32_t *order)
{
	uintptr_t end = 0;

	for (size_t i = 0; i < nr; i++) {
		const struct ferry_range *range = &ranges[order ? order[i] : i];

		/* A range without bytes is nowhere. */
		if (!range->len_bytes)
			continue;
		if ((uintptr_t)range->addr < end)
			return true;
		end = (uintptr_t)range->addr + range->len_bytes;
	}
	return false;
}

/* 0, -EINVAL if two ranges overlap, or -ENOMEM. */
static int ranges_check_overlap(const struct ferry_range *ranges, size_t nr)
{
	size_t starts_bytes = nr * sizeof(uintptr_t);
	uint32_t *order = NULL;
	uintptr_t *starts;
	int err;

	if (nr > UINT32_MAX)
		return -ENOMEM;
	err = vault_alloc(starts_bytes, (void **)&starts);
	if (err)
		return err;
	for (size_t i = 0; i < nr; i++)
		starts[i] = (uintptr_t)ranges[i].addr;
	err = pages_order(starts, nr, nr, &order);
	if (!err && ranges_overlap_in_order(ranges, nr, order))
		err = -EINVAL;
	vault_free(order, nr * sizeof(*order));
	vault_free(starts, starts_bytes);
	return err;
}

static int request_copy_ranges(struct ferry_job *job, const struct ferry_request *request)
{
	int err;

	job->nr_ranges = request->nr_ranges;
	err = user_copy_in((void **)&job->ranges, request->ranges,
			   job->nr_ranges * sizeof(struct ferry_range));
	for (size_t i = 0; !err && i < job->nr_ranges; i++) {
		err = range_align(&job->ranges[i]);
		job->nr_pages += job->ranges[i].len_bytes / PAGE_BYTES;
	}
	return err ? err : ranges_check_overlap(job->ranges, job->nr_ranges);
}

/* Each node is checked once. */
static int job_check_range_nodes(const struct ferry_job *job, int flags)
{
	uint64_t good[MAX_NODES / 64] = {0};
	int err = 0;

	for (size_t i = 0; !err && i < job->nr_ranges; i++) {
		int node = job->ranges[i].node;
		bool possible = node >= 0 && node < MAX_NODES;

		if (possible && good[node / 64] >> (node % 64) & 1)
			continue;
		process_check_nodes(job->pid, flags, &node, 1, &err);
		if (possible)
			good[node / 64] |= 1ULL << (node % 64);
	}
	return err;
}

static int job_check_nodes(const struct ferry_job *job, int flags)
{
	int err = 0;

	if (!job->pages)
		return job_check_range_nodes(job, flags);
	process_check_nodes(job->pid, flags, job->nodes, job->nr_pages, &err);
	return err;
}

static int job_alloc_status(struct ferry_job *job, int *user_status)
{
	int err;

	if (!user_status || !job->nr_pages)
		return 0;
	err = vault_alloc(job->nr_pages * sizeof(int), (void **)&job->status);
	if (err)
		return err;
	for (uint64_t i = 0; i < job->nr_pages; i++)
		job->status[i] = STATUS_UNSET;
	job->user_status = user_status;
	return 0;
}

static int job_build(struct ferry_job *job, const struct ferry_request *request)
{
	int flags = slice_mpol_flags(request->flags);
	int err = process_check(request->pid, flags);

	if (err)
		return err;
	job->pid = request->pid;
	job->own_process = process_is_own(request->pid);
	job->flags = request->flags;
	job->submitted = true;
	job->requested_mover = request->mover;
	job->requested_workers = request->nr_workers;
	job->requested_chunk_bytes = request->chunk_bytes;
	job->max_bytes_per_s = request->max_bytes_per_s;
	if (request->deadline_ns)
		job->deadline_ns =
			job->submit_ns + MIN(request->deadline_ns, UINT64_MAX - job->submit_ns);
	contexts_keep_files(job->ferry);
	err = request->nr_pages ? request_copy_list(job, request)
				: request_copy_ranges(job, request);
	if (!err)
		err = job_check_nodes(job, flags);
	if (!err)
		err = job_alloc_status(job, request->status);
	job->nr_usable = job->nr_pages;
	return err ? err : job_plan(job);
}

/* Signals wait, because a handler may fork or call the library while this thread holds a lock. */
static int submit_without_signals(struct ferry *ferry, const struct ferry_request *request,
				  struct ferry_job **out)
{
	uint64_t signals = call_block_signals();
	struct ferry_job *job = NULL;
	int err = job_new(ferry, &job);

	if (!err)
		err = job_build(job, request);
	if (err) {
		job_free(job);
	} else {
		job_start(job);
		*out = job;
	}
	call_unblock_signals(signals);
	return err;
}

int ferry_submit(struct ferry *ferry, const struct ferry_request *user_request,
		 struct ferry_job **out)
{
	struct ferry_request request;
	int err;

	*out = NULL;
	err = options_copy(&request, sizeof(request), user_request);
	if (!err)
		err = request_check(&request);
	if (err)
		return err;
	/*
	 * A child has none of its parent's threads, and a signal handler must not wait for locks of
	 * the thread that it interrupts.
	 */
	if (!ferry || fork_is_copy(ferry) || !call_enter())
		return -EINVAL;
	err = submit_without_signals(ferry, &request, out);
	call_leave();
	return err;
}
