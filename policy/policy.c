// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The rules of the policy and their constants. The constants rest on these measurements.
 *
 * Apart from the work on its pages, a planned request costs two wake-ups and the registration of
 * its runs. In the same time the kernel migrates some hundred pages.
 *
 * One worker exchanges 4 KiB in this time (Zen 5, Linux 6.18), by size of the exchange:
 *
 *	4 KiB    16 KiB   64 KiB   256 KiB  2 MiB
 *	2.1 µs   1.0 µs   0.55 µs  0.32 µs  0.29 µs
 *
 * Migration by the kernel takes about 2 µs, whatever the size.
 *
 * Before Linux 6.18 UFFDIO_MOVE flushes TLBs page by page. One thread then exchanges a page in
 * about half the time of a migration. Several threads take many times longer.
 */
#include "base/base.h"
#include "base/clock.h"
#include "policy/policy.h"

/*
 * Requests of fewer pages are not planned. Increasing this spares small requests the cost of a
 * plan; decreasing it lets smaller requests use the exchange mover and several workers.
 */
#define DIRECT_PAGES 256

/*
 * Runs of fewer pages go to the kernel mover. UNBATCHED is for kernels whose UFFDIO_MOVE flushes
 * TLBs page by page, where an exchange gains less. Increasing these leaves more pages to the kernel
 * mover; decreasing them exchanges runs whose registration costs more than the exchange gains.
 */
#define MIN_RUN_PAGES           128
#define MIN_RUN_PAGES_UNBATCHED 256

/*
 * Chunks are not made smaller than this, or than FLOOR if the stall bound is below SHORT_BOUND_NS.
 * Increasing these makes stalls longer; decreasing them makes exchanges cost more per page.
 */
#define MIN_CHUNK_BYTES   (256UL << 10)
#define FLOOR_CHUNK_BYTES (64UL << 10)
#define SHORT_BOUND_NS    (250 * NS_PER_US)

/*
 * Pages to exchange per lane. Increasing this uses fewer workers for a job; decreasing it wakes
 * workers that cost more to wake than they help.
 */
#define LANE_MIN_EXCHANGE_PAGES 1024

/*
 * Pages for the kernel mover per lane. Before it moves pages, each system call drains the per-CPU
 * LRU batches of all CPUs. Increasing this makes fewer such calls; decreasing it uses more workers.
 */
#define LANE_MIN_KERNEL_PAGES 1024

/*
 * A system call migrates consecutive entries with one destination together, and flushes TLBs once
 * for them. Where such stretches are shorter than this on average, it flushes so often that threads
 * which move pages of one process mostly interrupt each other. Increasing this moves more lists by
 * one thread; decreasing it lets threads compete for lists that scatter.
 */
#define MIN_STRETCH_PAGES 8

/*
 * Only jobs with at least this many pages to exchange are compared by mode. Increasing this learns
 * from fewer jobs; decreasing it counts jobs whose time is mostly that of waking workers.
 */
#define SAMPLE_MIN_PAGES 4096

/*
 * The time that one system call of the kernel mover is to take; AWAITED if other lanes wait for its
 * end, or the job has a deadline or a bandwidth cap. Each call waits until all CPUs have passed a
 * grace period. Increasing these makes fewer calls; decreasing them lets jobs stop sooner and lanes
 * end at about the same time.
 */
#define SLICE_TARGET_NS  (200 * NS_PER_MS)
#define SLICE_AWAITED_NS (20 * NS_PER_MS)

/*
 * Pages of a slice while the time per page is unknown, and at least. Increasing these makes the
 * first slice, and slices of slow pages, overrun their target time; decreasing them spends more of
 * the time in the fixed cost of each call.
 */
#define SLICE_FIRST_PAGES 512
#define SLICE_MIN_PAGES   64

/*
 * Only calls that moved at least this many pages enter the estimate of the time per page.
 * Increasing this learns from fewer calls; decreasing it mistakes the fixed cost of a call for the
 * cost of pages.
 */
#define SLICE_SAMPLE_MIN_PAGES 256

unsigned int policy_direct_pages(const struct policy_machine *machine)
{
	return machine->direct_pages ? machine->direct_pages : DIRECT_PAGES;
}

unsigned int policy_min_run_pages(const struct policy_machine *machine)
{
	return machine->batched_flush ? MIN_RUN_PAGES : MIN_RUN_PAGES_UNBATCHED;
}

/* ---- movers ---- */

static struct policy_choice policy_kernel_because(enum ferry_reason reason)
{
	return (struct policy_choice){.mover = FERRY_MOVER_KERNEL, .reason = reason};
}

struct policy_choice policy_mover(const struct policy_machine *machine,
				  const struct policy_run *run, enum ferry_mover requested)
{
	if (requested == FERRY_MOVER_KERNEL)
		return policy_kernel_because(FERRY_REASON_REQUESTED);
	if (!run->own_process)
		return policy_kernel_because(FERRY_REASON_FOREIGN);
	if (!machine->exchange)
		return policy_kernel_because(FERRY_REASON_NO_EXCHANGE);
	if (run->protected_by_us)
		return policy_kernel_because(FERRY_REASON_OWN);
	if (!run->exchangeable)
		return policy_kernel_because(FERRY_REASON_MAPPING);
	if (requested == FERRY_MOVER_AUTO && run->nr_pages < policy_min_run_pages(machine))
		return policy_kernel_because(FERRY_REASON_SHORT);
	return (struct policy_choice){.mover = FERRY_MOVER_EXCHANGE};
}

/* ---- threads ---- */

static unsigned int policy_max_workers(const struct policy_machine *machine,
				       const struct policy_load *load)
{
	return load->requested_workers ? MIN(load->requested_workers, machine->nr_workers)
				       : machine->nr_workers;
}

static unsigned int policy_nr_lanes(uint64_t nr_pages, uint64_t pages_per_lane,
				    unsigned int max_lanes)
{
	uint64_t nr_lanes = nr_pages / pages_per_lane;

	return (unsigned int)MAX(MIN(nr_lanes, (uint64_t)max_lanes), 1U);
}

static unsigned int policy_kernel_lanes(const struct policy_machine *machine,
					const struct policy_load *load, unsigned int max_workers)
{
	/* Where TLBs are flushed page by page, threads of the process interrupt each other. */
	bool scattered = load->kernel_runs > load->kernel_pages / MIN_STRETCH_PAGES;
	bool one_lane =
		load->own_process && !load->kernel_huge && (!machine->batched_unmap || scattered);

	return policy_nr_lanes(load->kernel_pages, LANE_MIN_KERNEL_PAGES,
			       one_lane ? 1 : max_workers);
}

static uint64_t policy_power_of_two_below(uint64_t n)
{
	return n ? 1ULL << (63 - __builtin_clzll(n)) : 0;
}

/* The model's chunks are never larger than the caller allows. */
static uint64_t policy_first_chunk(const struct policy_machine *machine,
				   const struct policy_advice *advice)
{
	return advice->known ? MIN(advice->chunk_bytes, machine->max_chunk_bytes)
			     : machine->max_chunk_bytes;
}

/* One lane for all, and the other workers copy for it. */
static struct policy_split policy_split_together(const struct policy_machine *machine,
						 const struct policy_load *load,
						 unsigned int max_workers)
{
	const struct policy_advice *advice = &load->advice;
	unsigned int nr = advice->known ? MIN(advice->nr_workers, max_workers) : max_workers;

	return (struct policy_split){
		.nr_lanes = 1,
		.nr_copiers = nr,
		.gather = nr > 1 ? MAX(machine->max_gather, 1U) : 1,
		.chunk_bytes = policy_first_chunk(machine, advice),
	};
}

static struct policy_split policy_split_apart(const struct policy_machine *machine,
					      const struct policy_load *load,
					      unsigned int kernel_lanes, unsigned int max_workers)
{
	const struct policy_advice *advice = &load->advice;
	unsigned int exchange_lanes =
		advice->known ? MIN(advice->nr_workers, max_workers)
			      : policy_nr_lanes(load->exchange_pages, LANE_MIN_EXCHANGE_PAGES,
						max_workers);
	uint64_t most_bytes = policy_first_chunk(machine, advice);
	uint64_t least_bytes = advice->known ? FLOOR_CHUNK_BYTES : MIN_CHUNK_BYTES;
	unsigned int nr_lanes = MAX(kernel_lanes, exchange_lanes);
	/* At most this, so that there is a chunk for every lane. */
	uint64_t share = policy_power_of_two_below(load->exchange_pages * PAGE_BYTES / nr_lanes);

	return (struct policy_split){
		.nr_lanes = nr_lanes,
		.nr_copiers = 1,
		.gather = 1,
		.chunk_bytes = MAX(MIN(most_bytes, share), MIN(least_bytes, most_bytes)),
	};
}

struct policy_split policy_split(const struct policy_machine *machine,
				 const struct policy_load *load)
{
	unsigned int max_workers = policy_max_workers(machine, load);
	unsigned int kernel_lanes = policy_kernel_lanes(machine, load, max_workers);
	bool together = load->mode == POLICY_TOGETHER && machine->max_gather && kernel_lanes == 1;

	/* If MOVE flushes TLBs page by page, several lanes interrupt each other all the time. */
	if (load->exchange_pages && (!machine->batched_flush || together))
		return policy_split_together(machine, load, max_workers);
	return policy_split_apart(machine, load, kernel_lanes, max_workers);
}

bool policy_worth_sampling(const struct policy_machine *machine, uint64_t exchange_pages)
{
	return machine->batched_flush && machine->max_gather && machine->nr_workers > 1 &&
	       exchange_pages >= SAMPLE_MIN_PAGES;
}

/* ---- sizes ---- */

unsigned int policy_next_gather(const struct policy_machine *machine, unsigned int gather,
				uint64_t stall_ns)
{
	/* The stall grows in proportion to the number of chunks. */
	uint64_t next = gather * machine->stall_bound_ns / MAX(stall_ns, 1U);

	/* An outlier halves the number or adds two, at most. */
	next = MIN(MAX(next, gather / 2), (uint64_t)gather + 2);
	return (unsigned int)MAX(MIN(next, (uint64_t)machine->max_gather), 1U);
}

uint64_t policy_next_chunk(const struct policy_machine *machine, uint64_t chunk_bytes,
			   uint64_t stall_ns)
{
	uint64_t min_bytes =
		machine->stall_bound_ns < SHORT_BOUND_NS ? FLOOR_CHUNK_BYTES : MIN_CHUNK_BYTES;
	uint64_t floor = MIN(min_bytes, machine->max_chunk_bytes);

	/* Stalls between a quarter of the bound and twice the bound do not change the size. */
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
	uint64_t sample = call_ns / MAX(nr_pages, 1U) + 1;

	if (nr_pages < SLICE_SAMPLE_MIN_PAGES)
		return page_ns;
	/* An outlier halves or doubles the estimate at most. */
	return page_ns ? MIN(MAX(sample, page_ns / 2), page_ns * 2) : sample;
}
