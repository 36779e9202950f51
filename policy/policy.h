/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides which mover moves a run of pages, how many threads work on a job, and how large the
 * pieces are that they work on. Pure functions: they make no system call, read no clock and
 * allocate nothing. The caller supplies every fact.
 */
#ifndef FERRY_POLICY_H
#define FERRY_POLICY_H

#include "base/base.h"
#include "include/pageferry.h"

/* What holds for the machine and the context. */
struct policy_machine {
	unsigned int nr_workers;
	bool exchange;           /* the exchange mover works here */
	bool batched_flush;      /* UFFDIO_MOVE flushes TLBs once per call, not once per page */
	bool batched_unmap;      /* migration by the kernel flushes TLBs once for many pages */
	unsigned int max_gather; /* chunks that the engine can copy together; 0: only one by one */
	uint64_t max_chunk_bytes;
	uint64_t stall_bound_ns;
	unsigned int direct_pages; /* by the cost model; 0: the rules' */
};

/* What holds for one run: consecutive pages of one mapping with one destination. */
struct policy_run {
	uint64_t nr_pages;
	bool own_process;
	bool exchangeable;    /* private anonymous memory, readable and writable */
	bool protected_by_us; /* memory of the library, or the stack of the calling thread */
};

struct policy_choice {
	enum ferry_mover mover;
	enum ferry_reason reason; /* why not the exchange mover */
};

/* A request of fewer pages goes straight to the system call, without a plan. */
unsigned int policy_direct_pages(const struct policy_machine *machine);

/* The exchange mover moves a shorter run only if the request demands that mover. */
unsigned int policy_min_run_pages(const struct policy_machine *machine);

struct policy_choice policy_mover(const struct policy_machine *machine,
				  const struct policy_run *run, enum ferry_mover requested);

/*
 * How several workers exchange.
 *
 * TOGETHER: one lane takes out chunk after chunk while the other workers sleep. Then all workers
 * copy, then the lane puts the chunks in. A CPU that sleeps is not interrupted to flush its TLB.
 * Where such interrupts are expensive, as in virtual machines, they are most of the cost.
 *
 * APART: each worker is a lane and does all steps for its own chunks. This is faster where changes
 * to page tables are the larger part of the work.
 */
enum policy_mode { POLICY_TOGETHER, POLICY_APART };

/* What the cost model predicts to be best for a job (follow.h). */
struct policy_advice {
	bool known;     /* the costs were measured; otherwise the rules decide */
	bool to_kernel; /* the kernel mover is cheaper than the exchange */
	/* of the exchange */
	unsigned int nr_workers;
	uint64_t chunk_bytes;
};

/* The work of one job. */
struct policy_load {
	uint64_t exchange_pages; /* pages in runs for the exchange mover */
	uint64_t kernel_pages;   /* pages for the kernel mover */
	uint64_t kernel_runs;    /* of them: stretches with one destination, in address order */
	bool kernel_huge;        /* kernel_pages belong to huge pages */
	bool own_process;
	unsigned int requested_workers; /* at most; 0: the policy chooses */
	enum policy_mode mode;
	struct policy_advice advice;
};

/* How the workers share a job. */
struct policy_split {
	unsigned int nr_lanes;   /* workers that make system calls */
	unsigned int nr_copiers; /* workers that copy the chunks of one lane, including the lane */
	unsigned int gather;     /* chunks that a lane takes out before they are copied, at most */
	uint64_t chunk_bytes;    /* of the first chunks */
};

struct policy_split policy_split(const struct policy_machine *machine,
				 const struct policy_load *load);

/* The size of the next chunk, after a chunk of chunk_bytes was in flight for stall_ns. */
uint64_t policy_next_chunk(const struct policy_machine *machine, uint64_t chunk_bytes,
			   uint64_t stall_ns);

/* How many chunks to gather next, after `gather` chunks were in flight for stall_ns. */
unsigned int policy_next_gather(const struct policy_machine *machine, unsigned int gather,
				uint64_t stall_ns);

/*
 * True if a job of so many pages is long enough to compare the two modes. A shorter job ends before
 * several lanes get going, so TOGETHER is best for it.
 */
bool policy_worth_sampling(const struct policy_machine *machine, uint64_t exchange_pages);

/*
 * Pages for the next system call of the kernel mover. page_ns: the time per page; 0: unknown.
 * awaited: other lanes wait for the end of the call, or the job has a deadline or a bandwidth cap.
 */
unsigned int policy_slice_pages(uint64_t page_ns, bool awaited, unsigned int max_pages);

/* The new estimate of the time per page, after a call that moved nr_pages took call_ns. */
uint64_t policy_page_ns(uint64_t page_ns, unsigned int nr_pages, uint64_t call_ns);

#endif
