/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A job is a request in progress: its pages, its plan and its account. The job and all that it
 * points to live in vault memory.
 */
#ifndef FERRY_JOB_H
#define FERRY_JOB_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/futex.h"
#include "base/interval.h"
#include "base/own_fd.h"
#include "crew/crew.h"
#include "include/pageferry.h"
#include "lib/core/context.h"
#include "policy/policy.h"

/*
 * A part of a job that one mover moves: pages with consecutive positions.
 *
 * A position counts pages in the order in which they are worked on, which is address order. An
 * index counts them in the order of the caller's arrays. job_index() converts a position.
 */
struct segment {
	uint64_t first_position;
	uint64_t nr_pages;
	uintptr_t addr; /* of the first page, if contiguous */
	int node;       /* the destination of all pages, if contiguous */
	uint8_t mover;  /* enum ferry_mover */
	uint8_t reason; /* enum ferry_reason: why not the exchange mover */
	bool contiguous;
};

/* A growing array in vault memory. */
struct segments {
	struct segment *at;
	size_t nr, room;
};

/* The part of a run that a job hands out from. */
struct ready_part {
	uintptr_t start, end;
	struct window *window;    /* NULL: the kernel mover moves this part */
	enum ferry_reason reason; /* why */
};

/* The place of a job among those that wait for each other. Protected by the lock of claims.c. */
struct claim {
	bool listed, granted;
	struct interval all, exchange;     /* its addresses, and those that it may take out */
	struct ferry_job *blocker;         /* the latest older job that conflicts */
	struct ferry_job *waiters;         /* jobs that this one blocks */
	struct ferry_job *next_waiter;     /* of the same blocker */
	struct ferry_job **link_to_waiter; /* what points to this job in that list */
};

struct ferry_job {
	struct crew_task task;
	struct ferry *ferry;

	/* the request */
	int pid;
	bool own_process;
	bool exact;     /* answers as the system call does: stops at the first failure */
	bool one_node;  /* exact: one destination for all; the kernel does not stop between them */
	bool frames;    /* exact: some pages are frames of pools, which the kernel must not move */
	bool serial;    /* a page is named twice: one thread moves in the caller's order */
	bool submitted; /* once it has ended, only its result is read */
	unsigned int flags; /* FERRY_MOVE_* */
	enum ferry_mover requested_mover;
	unsigned int requested_workers;
	uint64_t requested_chunk_bytes;
	uint64_t nr_pages;
	uint64_t nr_usable; /* entries before the first bad one; only these are worked on */
	uintptr_t *pages;   /* a list, copied and page-aligned; NULL: ranges */
	int *nodes;
	uint32_t *order;            /* the index of each position; NULL: they are equal */
	struct ferry_range *ranges; /* copied and page-aligned */
	size_t nr_ranges;
	int *status; /* by index; NULL: not requested */
	int *user_status;
	uint64_t submit_ns, deadline_ns;
	uint64_t max_bytes_per_s;

	/* the plan */
	struct segments segments;
	struct policy_split split;
	uintptr_t low, high;                   /* the bounds of all its addresses */
	uintptr_t exchange_low, exchange_high; /* the bounds of those it may take out */
	struct claim claim;

	/* exchange_mode.c: set if worth_sampling */
	bool worth_sampling; /* the mode may be learned from the time that the job takes */
	bool exchanges_huge;
	enum policy_mode mode;

	/* the work */
	struct futex_lock lock;
	bool begun;
	bool exchanging;         /* pools count its pages among those that they need */
	uint64_t stamp;          /* nodes_migration_stamp() when it began */
	size_t cursor_segment;   /* the segment that is being handed out */
	uint64_t cursor_pages;   /* pages of that segment handed out so far */
	struct ready_part ready; /* around the cursor; empty: none */
	_Atomic uint64_t nr_handed_out;
	_Atomic uint64_t nr_done;
	_Atomic uint64_t chunk_bytes; /* the size that its lanes begin with */
	atomic_bool stop;
	atomic_int error;    /* of the first stop */
	uint64_t nr_unmoved; /* exact: pages that the kernel reports as not moved */
	int exact_error;     /* exact: the error of the slice nearest the start */
	uint64_t exact_error_position;

	/* the end */
	struct tally tally;
	uint64_t begin_ns, end_ns;
	struct futex_lock event_lock;
	struct own_fd event; /* (event_lock) none until the program asks for it */
	atomic_bool result_ready;
	atomic_uint ended; /* futex; once set, the job may be freed */
};

/* What a lane works on at a time: a chunk to exchange, or a slice for the kernel mover. */
struct unit {
	const struct segment *segment;
	uint64_t first_position;
	unsigned int nr_pages;
	uint8_t mover;         /* enum ferry_mover */
	uint8_t reason;        /* enum ferry_reason: why not the exchange mover */
	struct window *window; /* exchange mover: held by the lane until it has moved the unit */
};

static inline uint64_t job_index(const struct ferry_job *job, uint64_t position)
{
	return job->order ? job->order[position] : position;
}

/* The address and the destination of the page at a position of the segment. */
uintptr_t job_page(const struct ferry_job *job, const struct segment *segment, uint64_t position);
int job_node(const struct ferry_job *job, const struct segment *segment, uint64_t position);

/* True if the plan has pages for the exchange mover. */
static inline bool job_exchanges(const struct ferry_job *job)
{
	return job->exchange_low < job->exchange_high;
}

/* Ends the job early: it hands out no more units. error: 0, or the error of the job. */
void job_stop(struct ferry_job *job, int error);
/* Stops the job if its deadline has passed. */
void job_check_deadline(struct ferry_job *job);
/* Adds what a lane has done. */
void job_add_tally(struct ferry_job *job, const struct tally *tally);

#endif
