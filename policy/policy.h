/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who moves what, with how many hands, in which pieces. Pure functions: no system call, no clock,
 * no memory of their own; the caller brings every fact.
 */
#ifndef FERRY_POLICY_H
#define FERRY_POLICY_H

#include "base/base.h"
#include "include/pageferry.h"

/* What is true of the machine and the context. */
struct policy_machine {
	unsigned int nr_workers;
	bool exchange;           /* the exchange mover works here */
	bool batched_flush;      /* UFFDIO_MOVE flushes TLBs once per call */
	bool batched_unmap;      /* the kernel's migration flushes them once for many pages */
	unsigned int max_gather; /* chunks that the engine copies together; 0: only one by one */
	uint64_t max_chunk_bytes;
	uint64_t stall_bound_ns;
};

/* What is true of one run: consecutive pages of one mapping with one destination. */
struct policy_run {
	uint64_t nr_pages;
	bool own_process;
	bool exchangeable;    /* private anonymous memory, readable and writable */
	bool protected_by_us; /* the library's own, or the caller's stack */
};

struct policy_choice {
	enum ferry_mover mover;
	enum ferry_reason reason; /* why not the exchange mover */
};

/* Below this many pages a request goes straight to the system call, unplanned. */
unsigned int policy_direct_pages(const struct policy_machine *machine);

/* Shortest run worth a look at its mapping. */
unsigned int policy_min_run_pages(const struct policy_machine *machine);

struct policy_choice policy_mover(const struct policy_machine *machine,
				  const struct policy_run *run, enum ferry_mover asked);

/*
 * Two ways to exchange with several threads. Together: one lane takes out chunk after chunk while
 * the others sleep, then all copy, then it puts in. A CPU that sleeps is not interrupted to flush
 * its TLB, and where interrupts are dear (in virtual machines) that is most of the cost. Apart:
 * each thread is a lane, which is better where changing page tables is the larger part of the work.
 */
enum policy_mode { POLICY_TOGETHER, POLICY_APART };

/* How a job is to be worked on. */
struct policy_load {
	uint64_t exchange_pages; /* pages in runs for the exchange mover */
	uint64_t kernel_pages;
	bool kernel_huge; /* they are of huge pages */
	bool own_process;
	unsigned int asked_workers; /* 0: no wish */
	enum policy_mode mode;       /* what the caller has found the faster one of late */
};

struct policy_split {
	unsigned int nr_lanes;   /* threads that issue system calls */
	unsigned int nr_copiers; /* threads that copy what one lane has out, its own included */
	unsigned int gather;     /* chunks that a lane takes out before they are copied, at most */
	uint64_t chunk_bytes;    /* to begin with */
};

struct policy_split policy_split(const struct policy_machine *machine,
				 const struct policy_load *load);

/* Next chunk size, after a chunk of chunk_bytes was out for stall_ns. */
uint64_t policy_next_chunk(const struct policy_machine *machine, uint64_t chunk_bytes,
			   uint64_t stall_ns);

/* How many chunks to gather next, after so many were out for stall_ns. */
unsigned int policy_next_gather(const struct policy_machine *machine, unsigned int gather,
				uint64_t stall_ns);

/*
 * Is a job of so many pages long enough to tell which way is the faster? In a shorter one lanes
 * would hardly have begun: together is best.
 */
bool policy_worth_sampling(const struct policy_machine *machine, uint64_t exchange_pages);

/*
 * Pages for the next system call of the kernel mover, where a page takes so long (0: unknown).
 * awaited: its end matters, to other lanes or to a job with a deadline or a cap.
 */
unsigned int policy_slice_pages(uint64_t page_ns, bool awaited, unsigned int max_pages);

/* How long a page takes, so far page_ns, after a call that moved nr_pages took call_ns. */
uint64_t policy_page_ns(uint64_t page_ns, unsigned int nr_pages, uint64_t call_ns);

#endif
