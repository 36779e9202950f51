// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From a request to segments: the pages in address order, cut into runs of one mapping and one
 * destination, each with its mover. Whatever is too short, foreign or strange goes to the kernel
 * mover, gathered in loose segments.
 */
#include <errno.h>

#include "base/sort.h"
#include "base/vault.h"
#include "lib/plan/plan.h"
#include "lib/plan/segments.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/pagemap.h"
#include "lib/core/exchange_mode.h"

/* ---- address order ---- */

static bool names_twice(const struct ferry_job *job)
{
	for (uint64_t i = 1; i < job->nr_usable; i++)
		if (job->pages[job->order[i]] == job->pages[job->order[i - 1]])
			return true;
	return false;
}

static int sort_list(struct ferry_job *job)
{
	int err;

	if (job->nr_pages > UINT32_MAX) {
		job->serial = !pages_ascend(job->pages, job->nr_usable);
		return 0;
	}
	err = pages_order(job->pages, job->nr_usable, job->nr_pages, &job->order);
	if (!err && job->order && names_twice(job)) {
		/* The last entry of a page decides: only the caller's order will do. */
		job->serial = true;
		vault_free(job->order, job->nr_pages * sizeof(*job->order));
		job->order = NULL;
	}
	return err;
}

/* ---- runs ---- */

/*
 * How much of the calling thread's stack is left alone, above and below where it is now. The rest
 * of a stack is memory like any other, and so is what the kernel has merged it with.
 */
#define STACK_MARGIN_BYTES (1UL << 20)

/* Is addr in that part? *stop: no further than to where the answer changes. */
static bool in_stack(uintptr_t addr, uintptr_t *stop)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	/* Whole huge pages, of which a run can't have a part. */
	uintptr_t low = ALIGN_DOWN(here - STACK_MARGIN_BYTES, HUGE_BYTES);
	uintptr_t high = ALIGN_UP(here + STACK_MARGIN_BYTES, HUGE_BYTES);

	if (addr < low)
		*stop = MIN(*stop, low);
	else if (addr < high)
		*stop = MIN(*stop, high);
	return addr >= low && addr < high;
}

/*
 * Where a run to be exchanged has to stop so that it ends between huge pages: to register a part of
 * one splits it. *part: the run begins with such a part, which the kernel mover moves whole.
 */
static uintptr_t stop_between_huge(uintptr_t addr, uintptr_t stop, bool *part)
{
	uintptr_t first = ALIGN_DOWN(addr, HUGE_BYTES), last = ALIGN_DOWN(stop, HUGE_BYTES);

	*part = (first != addr || stop - addr < HUGE_BYTES) && pagemap_is_huge(first);
	if (*part)
		return MIN(stop, first + HUGE_BYTES);
	return last != stop && last > addr && pagemap_is_huge(last) ? last : stop;
}

static const struct policy_choice kernel_moves_whole = {FERRY_MOVER_KERNEL, FERRY_REASON_REFUSED};

/* Consecutive pages with one destination, perhaps over several mappings. */
static int plan_run(struct ferry_job *job, uint64_t position, uintptr_t addr, uint64_t nr_pages,
		    int node)
{
	const struct policy_machine *machine = &job->ferry->machine;
	uintptr_t end = addr + nr_pages * PAGE_BYTES;
	bool has_pool =
		job->own_process && machine->exchange && pools_get(&job->ferry->pools, node, false);
	int err = 0;

	while (!err && addr < end) {
		struct mapping mapping = {.start = addr, .end = end};
		struct policy_run run = {.own_process = job->own_process};
		struct policy_choice choice;
		struct segment segment;
		uintptr_t stop = end;

		if (has_pool && !mapping_find(addr, &mapping)) {
			bool covers = mapping.start <= addr;

			stop = MIN(end, covers ? mapping.end : mapping.start);
			run.exchangeable = covers && mapping.exchangeable;
		}
		run.protected_by_us = run.exchangeable && in_stack(addr, &stop);
		run.protected_by_us |=
			run.exchangeable && vault_overlaps((void *)addr, stop - addr);
		run.nr_pages = (stop - addr) / PAGE_BYTES;
		choice = policy_mover(machine, &run, job->asked_mover);
		if (choice.mover == FERRY_MOVER_EXCHANGE) {
			bool part;

			stop = stop_between_huge(addr, stop, &part);
			run.nr_pages = (stop - addr) / PAGE_BYTES;
			if (part)
				choice = kernel_moves_whole;
		}
		if (choice.mover == FERRY_MOVER_EXCHANGE && !has_pool)
			choice = (struct policy_choice){FERRY_MOVER_KERNEL, FERRY_REASON_NO_FRAMES};
		segment = (struct segment){
			.first_position = position,
			.nr_pages = run.nr_pages,
			.addr = addr,
			.node = node,
			.mover = (uint8_t)choice.mover,
			.reason = (uint8_t)choice.reason,
			.contiguous = choice.mover == FERRY_MOVER_EXCHANGE || !job->pages,
		};
		err = segments_add(&job->segments, &segment);
		position += run.nr_pages;
		addr = stop;
	}
	return err;
}

static int add_loose(struct ferry_job *job, uint64_t position, uint64_t nr_pages,
		     enum ferry_reason reason)
{
	struct segment segment = {
		.first_position = position,
		.nr_pages = nr_pages,
		.mover = FERRY_MOVER_KERNEL,
		.reason = (uint8_t)reason,
	};

	return segments_add(&job->segments, &segment);
}

static uint64_t run_length(const struct ferry_job *job, uint64_t from)
{
	uint64_t first = job_index(job, from), at = from + 1;

	for (; at < job->nr_usable; at++) {
		uint64_t index = job_index(job, at);

		if (job->pages[index] != job->pages[first] + (at - from) * PAGE_BYTES ||
		    job->nodes[index] != job->nodes[first])
			break;
	}
	return at - from;
}

/* Why no run of this job can be exchanged, whatever it looks like. */
static enum ferry_reason never_exchanged(const struct ferry_job *job)
{
	struct policy_run run = {
		.own_process = job->own_process, .nr_pages = UINT64_MAX, .exchangeable = true};

	return policy_mover(&job->ferry->machine, &run, job->asked_mover).reason;
}

static int plan_list(struct ferry_job *job)
{
	unsigned int min_run = job->asked_mover == FERRY_MOVER_EXCHANGE
				       ? 1
				       : policy_min_run_pages(&job->ferry->machine);
	enum ferry_reason never = never_exchanged(job);
	int err = sort_list(job);

	if (!err && (never || job->serial))
		return add_loose(job, 0, job->nr_usable, never ? never : FERRY_REASON_SHORT);
	for (uint64_t at = 0; !err && at < job->nr_usable;) {
		uint64_t nr = run_length(job, at), index = job_index(job, at);

		if (nr < min_run)
			err = add_loose(job, at, nr, FERRY_REASON_SHORT);
		else
			err = plan_run(job, at, job->pages[index], nr, job->nodes[index]);
		at += nr;
	}
	return err;
}

static int plan_ranges(struct ferry_job *job)
{
	uint64_t position = 0;
	int err = 0;

	for (size_t i = 0; !err && i < job->nr_ranges; i++) {
		const struct ferry_range *range = &job->ranges[i];
		uint64_t nr = range->len_bytes / PAGE_BYTES;

		err = plan_run(job, position, (uintptr_t)range->addr, nr, range->node);
		position += nr;
	}
	return err;
}

/* ---- the whole ---- */

static void note_extent(struct ferry_job *job)
{
	job->low = UINTPTR_MAX;
	job->exchange_low = UINTPTR_MAX;
	for (size_t i = 0; i < job->segments.nr; i++) {
		const struct segment *segment = &job->segments.at[i];
		uint64_t last = segment->first_position + segment->nr_pages - 1;
		uintptr_t start = job_page(job, segment, segment->first_position);
		uintptr_t end = job_page(job, segment, last) + PAGE_BYTES;

		job->low = MIN(job->low, start);
		job->high = MAX(job->high, end);
		if (segment->mover != FERRY_MOVER_EXCHANGE)
			continue;
		job->exchange_low = MIN(job->exchange_low, start);
		job->exchange_high = MAX(job->exchange_high, end);
	}
	if (job->serial) {
		job->low = 0;
		job->high = UINTPTR_MAX;
	}
}

/* Does it begin with a huge page? */
static bool begins_huge(const struct ferry_job *job)
{
	uintptr_t first = job_page(job, &job->segments.at[0], 0);

	return job->own_process ? pagemap_seems_huge_of(pagemap_own(), first)
				: pagemap_seems_huge_in(job->pid, first);
}

/* One address for each, by the look of the first two? */
static bool names_each_once(const struct ferry_job *job)
{
	return job->pages && job->nr_usable > 1 &&
	       job->pages[job_index(job, 0)] >> HUGE_SHIFT !=
		       job->pages[job_index(job, 1)] >> HUGE_SHIFT;
}

int job_plan(struct ferry_job *job)
{
	struct policy_load load = {.asked_workers = job->serial ? 1 : job->asked_workers,
				   .own_process = job->own_process};
	int err = job->pages ? plan_list(job) : plan_ranges(job);
	bool each_once;

	if (err)
		return err;
	for (size_t i = 0; i < job->segments.nr; i++) {
		const struct segment *segment = &job->segments.at[i];

		if (segment->mover == FERRY_MOVER_EXCHANGE)
			load.exchange_pages += segment->nr_pages;
		else
			load.kernel_pages += segment->nr_pages;
	}
	/* To look costs system calls: only where the answer matters. */
	each_once = names_each_once(job);
	load.kernel_huge = load.kernel_pages && (each_once || !job->ferry->machine.batched_unmap) &&
			   begins_huge(job);
	if (load.kernel_huge && each_once)
		load.kernel_pages *= PAGES_PER_HUGE;
	load.mode = exchange_mode_choose(job, load.exchange_pages);
	job->split = policy_split(&job->ferry->machine, &load);
	if (job->serial)
		job->split.nr_lanes = 1;
	if (job->asked_chunk_bytes)
		job->split.chunk_bytes = job->asked_chunk_bytes;
	note_extent(job);
	return 0;
}
