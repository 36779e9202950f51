// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The plan of a job. Pages are put into address order, and consecutive pages with one destination
 * are cut into runs of one mapping. Each run becomes a segment with its mover. Runs that are too
 * short to look at their mapping become loose segments, which the kernel mover moves.
 */
#include <errno.h>

#include "base/sort.h"
#include "base/vault.h"
#include "lib/core/exchange_mode.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/pagemap.h"
#include "lib/plan/advice.h"
#include "lib/plan/plan.h"
#include "lib/plan/segments.h"

/* ---- address order ---- */

static bool plan_names_page_twice(const struct ferry_job *job)
{
	for (uint64_t i = 1; i < job->nr_usable; i++)
		if (job->pages[job->order[i]] == job->pages[job->order[i - 1]])
			return true;
	return false;
}

static int plan_sort_list(struct ferry_job *job)
{
	int err;

	if (job->nr_pages > UINT32_MAX) {
		job->serial = !pages_ascend(job->pages, job->nr_usable);
		return 0;
	}
	err = pages_order(job->pages, job->nr_usable, job->nr_pages, &job->order);
	if (!err && job->order && plan_names_page_twice(job)) {
		/* The last entry of a page decides where it goes: keep the caller's order. */
		job->serial = true;
		vault_free(job->order, job->nr_pages * sizeof(*job->order));
		job->order = NULL;
	}
	return err;
}

/* ---- runs ---- */

/*
 * The kernel mover moves this much of the calling thread's stack, above and below the current
 * frame. The rest of a stack is exchanged as any other memory is, and so is memory that the kernel
 * has merged into the same mapping. Increasing this exchanges less memory near stacks; decreasing
 * it may take out stack that the thread uses during the call.
 */
#define STACK_MARGIN_BYTES (1UL << 20)

/*
 * True if addr is in that part of the stack. Reduces *stop to the next address at which the answer
 * changes.
 */
static bool plan_in_stack(uintptr_t addr, uintptr_t *stop)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	/* Whole huge pages, because a run cannot contain part of one. */
	uintptr_t low = ALIGN_DOWN(here - STACK_MARGIN_BYTES, HUGE_BYTES);
	uintptr_t high = ALIGN_UP(here + STACK_MARGIN_BYTES, HUGE_BYTES);

	if (addr < low)
		*stop = MIN(*stop, low);
	else if (addr < high)
		*stop = MIN(*stop, high);
	return addr >= low && addr < high;
}

/* What the plan has looked up last, because neighbours often have the same answer. */
struct plan_look {
	struct mapping mapping;
	uintptr_t huge_addr; /* of 2 MiB, valid if not 0 */
	bool huge;
};

static int plan_find_mapping(struct plan_look *look, uintptr_t addr)
{
	if (addr >= look->mapping.start && addr < look->mapping.end)
		return 0;
	look->mapping = (struct mapping){0};
	return mapping_find(addr, &look->mapping);
}

static bool plan_is_huge(struct plan_look *look, uintptr_t huge_addr)
{
	if (look->huge_addr != huge_addr) {
		look->huge = pagemap_is_huge(huge_addr);
		look->huge_addr = huge_addr;
	}
	return look->huge;
}

/* Describes the run that begins at addr, and reduces *stop to its end. */
static struct policy_run plan_describe_run(const struct ferry_job *job, struct plan_look *look,
					   uintptr_t addr, bool has_pool, uintptr_t *stop)
{
	struct policy_run run = {.own_process = job->own_process};

	if (has_pool && !plan_find_mapping(look, addr)) {
		bool covers = look->mapping.start <= addr;

		*stop = MIN(*stop, covers ? look->mapping.end : look->mapping.start);
		run.exchangeable = covers && look->mapping.exchangeable;
	}
	if (run.exchangeable)
		run.protected_by_us =
			plan_in_stack(addr, stop) || vault_overlaps((void *)addr, *stop - addr);
	run.nr_pages = (*stop - addr) / PAGE_BYTES;
	return run;
}

/*
 * Registration of part of a huge page with the userfaultfd splits it. So a run that begins with
 * such a part is reduced to it, for the kernel mover, which moves the huge page as a whole. Any
 * other run is reduced to end between huge pages. True: the run begins with part of a huge page.
 */
static bool plan_split_huge(struct plan_look *look, uintptr_t addr, uintptr_t *stop)
{
	uintptr_t first = ALIGN_DOWN(addr, HUGE_BYTES), last = ALIGN_DOWN(*stop, HUGE_BYTES);

	if ((first != addr || *stop - addr < HUGE_BYTES) && plan_is_huge(look, first)) {
		*stop = MIN(*stop, first + HUGE_BYTES);
		return true;
	}
	if (last != *stop && last > addr && plan_is_huge(look, last))
		*stop = last;
	return false;
}

/* Chooses the mover of the run that begins at addr, and reduces *stop to the run's end. */
static struct policy_choice plan_choose_mover(const struct ferry_job *job, struct plan_look *look,
					      uintptr_t addr, bool has_pool, uintptr_t *stop)
{
	struct policy_run run = plan_describe_run(job, look, addr, has_pool, stop);
	struct policy_choice choice =
		policy_mover(&job->ferry->machine, &run, job->requested_mover);

	if (choice.mover == FERRY_MOVER_EXCHANGE && plan_split_huge(look, addr, stop))
		return (struct policy_choice){FERRY_MOVER_KERNEL, FERRY_REASON_REFUSED};
	return choice;
}

/* Consecutive pages with one destination, in one or more mappings. */
static int plan_range(struct ferry_job *job, struct plan_look *look, uint64_t position,
		      uintptr_t addr, uint64_t nr_pages, int node)
{
	uintptr_t end = addr + nr_pages * PAGE_BYTES;
	bool has_pool = job->own_process && job->ferry->machine.exchange &&
			context_has_pool(job->ferry, node);
	int err = 0;

	while (!err && addr < end) {
		uintptr_t stop = end;
		struct policy_choice choice = plan_choose_mover(job, look, addr, has_pool, &stop);
		struct segment segment = {
			.first_position = position,
			.nr_pages = (stop - addr) / PAGE_BYTES,
			.addr = addr,
			.node = node,
			.mover = (uint8_t)choice.mover,
			.reason = (uint8_t)choice.reason,
			.contiguous = choice.mover == FERRY_MOVER_EXCHANGE || !job->pages,
		};

		err = segments_add(&job->segments, &segment);
		position += segment.nr_pages;
		addr = stop;
	}
	return err;
}

/* ---- lists and ranges ---- */

static int plan_add_loose(struct ferry_job *job, uint64_t position, uint64_t nr_pages,
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

/* The number of consecutive pages with one destination, from this position on. */
static uint64_t plan_range_pages(const struct ferry_job *job, uint64_t from)
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

/* Why the exchange mover can move no page of this job at all; FERRY_REASON_NONE: it may be able. */
static enum ferry_reason plan_never_exchanged(const struct ferry_job *job)
{
	struct policy_run run = {
		.own_process = job->own_process, .nr_pages = UINT64_MAX, .exchangeable = true};

	return policy_mover(&job->ferry->machine, &run, job->requested_mover).reason;
}

/* Shorter runs go to the kernel mover without a look at their mapping. */
static unsigned int plan_min_run(const struct ferry_job *job)
{
	return job->requested_mover == FERRY_MOVER_EXCHANGE
		       ? 1
		       : policy_min_run_pages(&job->ferry->machine);
}

static int plan_list(struct ferry_job *job)
{
	unsigned int min_run = plan_min_run(job);
	struct plan_look look = {0};
	enum ferry_reason never = plan_never_exchanged(job);
	int err = plan_sort_list(job);

	if (!err && (never || job->serial))
		return plan_add_loose(job, 0, job->nr_usable, never ? never : FERRY_REASON_SHORT);
	for (uint64_t at = 0; !err && at < job->nr_usable;) {
		uint64_t nr = plan_range_pages(job, at), index = job_index(job, at);

		if (nr < min_run)
			err = plan_add_loose(job, at, nr, FERRY_REASON_SHORT);
		else
			err = plan_range(job, &look, at, job->pages[index], nr, job->nodes[index]);
		at += nr;
	}
	return err;
}

/* The pages of ranges that follow each other with one destination, from this one on. */
static uint64_t plan_joined_pages(const struct ferry_job *job, size_t *next)
{
	const struct ferry_range *first = &job->ranges[(*next)++];
	uint64_t len_bytes = first->len_bytes;

	for (; *next < job->nr_ranges; ++*next) {
		const struct ferry_range *range = &job->ranges[*next];

		if ((uintptr_t)range->addr != (uintptr_t)first->addr + len_bytes ||
		    range->node != first->node)
			break;
		len_bytes += range->len_bytes;
	}
	return len_bytes / PAGE_BYTES;
}

static int plan_add_short_range(struct ferry_job *job, uint64_t position,
				const struct ferry_range *range, uint64_t nr_pages,
				enum ferry_reason reason)
{
	struct segment segment = {
		.first_position = position,
		.nr_pages = nr_pages,
		.addr = (uintptr_t)range->addr,
		.node = range->node,
		.mover = FERRY_MOVER_KERNEL,
		.reason = (uint8_t)reason,
		.contiguous = true,
	};

	return segments_add(&job->segments, &segment);
}

static int plan_ranges(struct ferry_job *job)
{
	enum ferry_reason never = plan_never_exchanged(job);
	unsigned int min_run = plan_min_run(job);
	struct plan_look look = {0};
	uint64_t position = 0, nr;
	int err = 0;

	for (size_t next = 0; !err && next < job->nr_ranges; position += nr) {
		const struct ferry_range *range = &job->ranges[next];

		nr = plan_joined_pages(job, &next);
		if (nr && (never || nr < min_run))
			err = plan_add_short_range(job, position, range, nr,
						   never ? never : FERRY_REASON_SHORT);
		else
			err = plan_range(job, &look, position, (uintptr_t)range->addr, nr,
					 range->node);
	}
	return err;
}

/* ---- workers ---- */

static bool plan_begins_huge(const struct ferry_job *job)
{
	uintptr_t first = job_page(job, &job->segments.at[0], 0);

	return job->own_process ? pagemap_seems_huge_of(pagemap_own(), first)
				: pagemap_seems_huge_in(job->pid, first);
}

/* True if the list may name huge pages by one address each, judging by its first two entries. */
static bool plan_names_huge_once(const struct ferry_job *job)
{
	return job->pages && job->nr_usable > 1 &&
	       job->pages[job_index(job, 0)] >> HUGE_SHIFT !=
		       job->pages[job_index(job, 1)] >> HUGE_SHIFT;
}

static void plan_add_pages(const struct ferry_job *job, struct policy_load *load)
{
	for (size_t i = 0; i < job->segments.nr; i++) {
		const struct segment *segment = &job->segments.at[i];

		if (segment->mover == FERRY_MOVER_EXCHANGE)
			load->exchange_pages += segment->nr_pages;
		else
			load->kernel_pages += segment->nr_pages;
	}
}

/* Stretches of a list with one destination: a system call migrates one at a time. */
static uint64_t plan_count_stretches(const struct ferry_job *job)
{
	uint64_t nr = 1;

	for (uint64_t i = 1; job->pages && i < job->nr_usable; i++)
		nr += job->nodes[job_index(job, i)] != job->nodes[job_index(job, i - 1)];
	return nr;
}

static struct policy_load plan_load(struct ferry_job *job)
{
	struct policy_load load = {
		.requested_workers = job->serial ? 1 : job->requested_workers,
		.own_process = job->own_process,
	};
	bool names_huge_once = plan_names_huge_once(job);

	plan_add_pages(job, &load);
	/* plan_begins_huge() makes system calls: call it only if the answer matters. */
	load.kernel_huge = load.kernel_pages &&
			   (names_huge_once || !job->ferry->machine.batched_unmap) &&
			   plan_begins_huge(job);
	if (load.kernel_huge && names_huge_once)
		load.kernel_pages *= PAGES_PER_HUGE;
	load.kernel_runs = plan_count_stretches(job);
	load.mode = exchange_mode_choose(job, load.exchange_pages);
	return load;
}

/* ---- the whole ---- */

/* The bounds of the job's addresses, for claims. */
static void plan_note_bounds(struct ferry_job *job)
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
	/* The first and the last page of a segment are no bounds if it is not in address order. */
	if (job->serial) {
		job->low = 0;
		job->high = UINTPTR_MAX;
	}
}

int job_plan(struct ferry_job *job)
{
	struct policy_load load;
	int err = job->pages ? plan_list(job) : plan_ranges(job);

	if (err)
		return err;
	load = plan_load(job);
	load.advice = plan_take_advice(job, &load);
	if (load.advice.to_kernel)
		load = plan_load(job);
	job->split = policy_split(&job->ferry->machine, &load);
	if (job->requested_chunk_bytes)
		job->split.chunk_bytes = job->requested_chunk_bytes;
	plan_note_bounds(job);
	return 0;
}
