/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job: a request in flight. It lies in vault memory, as does all that hangs on it. */
#ifndef FERRY_JOB_H
#define FERRY_JOB_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/futex.h"
#include "crew/crew.h"
#include "include/pageferry.h"
#include "lib/core/context.h"
#include "policy/policy.h"

/*
 * Pages are worked on in address order. A position counts in that order; status arrays are in the
 * caller's. job_index() leads from one to the other.
 */
struct segment {
	uint64_t first_position;
	uint64_t nr_pages;
	uintptr_t addr; /* of the first page, if contiguous */
	int node;       /* of all of them, if contiguous */
	uint8_t mover;  /* enum ferry_mover */
	uint8_t reason; /* enum ferry_reason: why not the exchange mover */
	bool contiguous;
};

/* A growing array in vault memory. */
struct segments {
	struct segment *at;
	size_t nr, room;
};

struct ferry_job {
	struct crew_task task;
	struct ferry *ferry;

	/* the request */
	int pid;
	bool own_process;
	bool exact;    /* answers as the system call: stop at the first failure */
	bool one_node; /* exact: all go to the same, so the kernel would not stop between them */
	bool serial;   /* pages named twice: in the caller's order, by one thread */
	unsigned int flags;
	enum ferry_mover asked_mover;
	unsigned int asked_workers;
	uint64_t asked_chunk_bytes;
	uint64_t nr_pages;
	uint64_t nr_usable; /* entries before the first bad one; these are worked on */
	uintptr_t *pages;   /* snapshot of a list, page-aligned; NULL: ranges */
	int *nodes;
	uint32_t *order;            /* positions → indexes; NULL: the same */
	struct ferry_range *ranges; /* snapshot, page-aligned */
	size_t nr_ranges;
	int *status; /* by index; NULL: nobody asked */
	int *user_status;

	/* the plan */
	struct segments segments;
	struct policy_split split;
	enum policy_mode mode; /* if it tells, or did: how its workers exchange */
	bool huge;            /* it begins with a huge page */
	bool worth_sampling;  /* the time it takes is worth remembering */
	uint64_t stamp;       /* nodes_migration_stamp when it began */
	uint64_t submit_ns, deadline_ns;
	uint64_t max_bytes_per_s;

	/* the work */
	struct futex_lock lock;
	bool begun;
	size_t cursor_segment;
	uint64_t cursor_pages; /* of that segment, handed out */
	_Atomic uint64_t nr_handed_out;
	_Atomic uint64_t nr_done;
	_Atomic uint64_t chunk_bytes; /* what its lanes begin with: what others have found best */
	atomic_bool stop;
	atomic_int error;    /* first thing that stopped it */
	uint64_t nr_unmoved; /* exact: pages the kernel said it had not moved */
	int exact_error;     /* exact: errno of the slice nearest the start */
	uint64_t exact_error_position;

	/* claims.c */
	uintptr_t low, high;                   /* all of its addresses */
	uintptr_t exchange_low, exchange_high; /* those it may take out */
	struct claim {
		bool listed, granted;
		struct ferry_job *older, *newer; /* in the list of all claims */
		struct ferry_job *blocker;       /* the newest of the older ones in its way */
		struct ferry_job *waiters, *next_waiter;
	} claim;

	/* the end */
	struct tally tally;
	uint64_t begin_ns, end_ns;
	int event_fd;
	atomic_bool result_ready;
	atomic_uint ended; /* futex; the job may be freed */
};

/* What a lane takes at a time. */
struct unit {
	const struct segment *segment;
	uint64_t first_position;
	unsigned int nr_pages;
};

static inline uint64_t job_index(const struct ferry_job *job, uint64_t position)
{
	return job->order ? job->order[position] : position;
}

/* The address, and the destination, of the page at a position that lies in segment. */
uintptr_t job_page(const struct ferry_job *job, const struct segment *segment, uint64_t position);
int job_node(const struct ferry_job *job, const struct segment *segment, uint64_t position);

/* Does it have pages for the exchange mover? */
static inline bool job_exchanges(const struct ferry_job *job)
{
	return job->exchange_low < job->exchange_high;
}

/* Ends it early: no unit is handed out any more. */
void job_stop(struct ferry_job *job, int error);
/* Stops it if its time is up. */
void job_check_deadline(struct ferry_job *job);
/* Adds up what a lane has done. */
void job_add_tally(struct ferry_job *job, const struct tally *tally);

#endif
