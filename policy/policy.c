// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/base.h"
#include "base/clock.h"
#include "policy/policy.h"

/*
 * Numbers: a request that is planned costs, besides its pages, two wake-ups and the registration of
 * its runs: what the kernel needs for some hundred pages. One worker then needs, per 4 KiB, 2.1 µs
 * in exchanges of 4 KiB, 1.0 of 16, 0.55 of 64, 0.32 of 256 KiB and 0.29 of 2 MiB (Zen 5, 6.18),
 * the kernel's own migration about 2 µs whatever the size. Where MOVE flushes TLBs page by page
 * (before 6.18) an exchanged page costs about half of a migrated one with one thread, and many
 * times more with several.
 */
#define DIRECT_PAGES            256
#define MIN_RUN_PAGES           128
#define MIN_RUN_PAGES_UNBATCHED 256
#define MIN_CHUNK_BYTES         (256UL << 10)
#define FLOOR_CHUNK_BYTES       (64UL << 10)
/* For a longer bound no chunk is made smaller than MIN_CHUNK_BYTES. */
#define SHORT_BOUND_NS          (250 * NS_PER_US)
#define LANE_MIN_EXCHANGE_PAGES 1024 /* less is not worth waking one more worker */
/* A shorter job says more about waking up than about moving. */
#define TELLING_PAGES 4096
/* Every system call that moves pages drains the page caches of all CPUs first. */
#define LANE_MIN_KERNEL_PAGES 1024
/* And waits until all CPUs have passed a grace period: few large slices, unless somebody waits. */
#define SLICE_TARGET_NS   (200 * NS_PER_MS)
#define SLICE_AWAITED_NS  (20 * NS_PER_MS)
#define SLICE_FIRST_PAGES 512
#define SLICE_MIN_PAGES   64
/* A shorter call says more about calling than about pages. */
#define SLICE_TELLING_PAGES 256

unsigned int policy_direct_pages(const struct policy_machine *machine)
{
	return DIRECT_PAGES;
}

unsigned int policy_min_run_pages(const struct policy_machine *machine)
{
	return machine->batched_flush ? MIN_RUN_PAGES : MIN_RUN_PAGES_UNBATCHED;
}

static struct policy_choice kernel_because(enum ferry_reason reason)
{
	return (struct policy_choice){.mover = FERRY_MOVER_KERNEL, .reason = reason};
}

struct policy_choice policy_mover(const struct policy_machine *machine,
				  const struct policy_run *run, enum ferry_mover asked)
{
	if (asked == FERRY_MOVER_KERNEL)
		return kernel_because(FERRY_REASON_ASKED);
	if (!run->own_process)
		return kernel_because(FERRY_REASON_FOREIGN);
	if (!machine->exchange)
		return kernel_because(FERRY_REASON_NO_UFFD);
	if (run->protected_by_us)
		return kernel_because(FERRY_REASON_OWN);
	if (!run->exchangeable)
		return kernel_because(FERRY_REASON_MAPPING);
	if (asked == FERRY_MOVER_AUTO && run->nr_pages < policy_min_run_pages(machine))
		return kernel_because(FERRY_REASON_SHORT);
	return (struct policy_choice){.mover = FERRY_MOVER_EXCHANGE};
}

static unsigned int lanes_for(uint64_t nr_pages, uint64_t pages_per_lane, unsigned int most)
{
	uint64_t lanes = nr_pages / pages_per_lane;

	return (unsigned int)MAX(MIN(lanes, (uint64_t)most), 1U);
}

static uint64_t power_of_two_below(uint64_t n)
{
	return n ? 1ULL << (63 - __builtin_clzll(n)) : 0;
}

struct policy_split policy_split(const struct policy_machine *machine,
				 const struct policy_load *load)
{
	unsigned int most = load->asked_workers ? MIN(load->asked_workers, machine->nr_workers)
						: machine->nr_workers;
	struct policy_split split = {
		.chunk_bytes = machine->max_chunk_bytes, .nr_copiers = 1, .gather = 1};
	/* Where TLBs are flushed page by page, threads interrupt each other all the time. */
	bool one_by_one = load->own_process && !machine->batched_unmap && !load->kernel_huge;
	unsigned int lanes =
		lanes_for(load->kernel_pages, LANE_MIN_KERNEL_PAGES, one_by_one ? 1 : most);
	bool together = load->mode == POLICY_TOGETHER && machine->max_gather && lanes == 1;
	uint64_t share;

	if (load->exchange_pages && (!machine->batched_flush || together)) {
		split.nr_lanes = 1;
		split.nr_copiers = most;
		split.gather = most > 1 ? MAX(machine->max_gather, 1U) : 1;
		return split;
	}
	split.nr_lanes = MAX(lanes, lanes_for(load->exchange_pages, LANE_MIN_EXCHANGE_PAGES, most));
	/* Every lane should find a chunk. */
	share = power_of_two_below(load->exchange_pages * PAGE_BYTES / split.nr_lanes);
	split.chunk_bytes =
		MAX(MIN(split.chunk_bytes, share), MIN(MIN_CHUNK_BYTES, machine->max_chunk_bytes));
	return split;
}

unsigned int policy_next_gather(const struct policy_machine *machine, unsigned int gather,
				uint64_t stall_ns)
{
	/* The time grows with the number. One odd chunk must not swing it. */
	uint64_t next = gather * machine->stall_bound_ns / MAX(stall_ns, 1U);

	next = MIN(MAX(next, gather / 2), (uint64_t)gather + 2);
	return (unsigned int)MAX(MIN(next, (uint64_t)machine->max_gather), 1U);
}

bool policy_worth_sampling(const struct policy_machine *machine, uint64_t exchange_pages)
{
	return machine->batched_flush && machine->max_gather && machine->nr_workers > 1 &&
	       exchange_pages >= TELLING_PAGES;
}

uint64_t policy_next_chunk(const struct policy_machine *machine, uint64_t chunk_bytes,
			   uint64_t stall_ns)
{
	uint64_t least =
		machine->stall_bound_ns < SHORT_BOUND_NS ? FLOOR_CHUNK_BYTES : MIN_CHUNK_BYTES;
	uint64_t floor = MIN(least, machine->max_chunk_bytes);

	/* Between twice and a quarter of the bound it stays as it is. */
	if (stall_ns > 2 * machine->stall_bound_ns && chunk_bytes > floor)
		return chunk_bytes / 2;
	if (stall_ns < machine->stall_bound_ns / 4 && chunk_bytes < machine->max_chunk_bytes)
		return chunk_bytes * 2;
	return chunk_bytes;
}

unsigned int policy_slice_pages(uint64_t page_ns, bool awaited, unsigned int max_pages)
{
	uint64_t target_ns = awaited ? SLICE_AWAITED_NS : SLICE_TARGET_NS;
	uint64_t nr = page_ns ? target_ns / page_ns : SLICE_FIRST_PAGES;

	return (unsigned int)MIN(MAX(nr, (uint64_t)SLICE_MIN_PAGES), (uint64_t)max_pages);
}

uint64_t policy_page_ns(uint64_t page_ns, unsigned int nr_pages, uint64_t call_ns)
{
	uint64_t seen = call_ns / MAX(nr_pages, 1U) + 1;

	if (nr_pages < SLICE_TELLING_PAGES)
		return page_ns;
	/* One odd call must not swing it: halve or double at most. */
	return page_ns ? MIN(MAX(seen, page_ns / 2), page_ns * 2) : seen;
}
