/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pageferry: moves memory pages between NUMA nodes.
 *
 *	struct ferry *ferry;
 *	int err = ferry_open(&ferry, NULL);
 *	long left = ferry_move_pages(ferry, 0, count, pages, nodes, status, MPOL_MF_MOVE);
 *	ferry_close(ferry);
 *
 * A context (struct ferry) holds what was found out about the machine, the worker threads and the
 * frames kept ready on each node. Opening one costs milliseconds: open it once, use it from any
 * thread. Several contexts may exist side by side.
 *
 * Two ways to move pages:
 *  - ferry_move_pages() and ferry_migrate_pages() answer exactly as the system calls of those
 *    names: -1 with errno, 0, or a positive count.
 *  - jobs (ferry_submit() and ferry_job_*) run in the background, go on after failures, and report
 *    in full. They, and everything else here, return 0 or a negative errno and leave errno alone.
 *
 * Structures that begin with `size` grow at their end in later versions. Set size to sizeof the
 * structure and zero the rest, as the FERRY_*_INIT macros do. A library that is older than the
 * program refuses members that it does not know if they aren't zero (-E2BIG).
 *
 * After fork(2) the child must not use a parent's context except to close it; calls on it go
 * straight to the system call. See pageferry(7) for what else a program can notice.
 */
#ifndef PAGEFERRY_H
#define PAGEFERRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FERRY_API __attribute__((visibility("default")))

struct ferry;
struct ferry_job;

/* A way of getting pages to another node. */
enum ferry_mover {
	FERRY_MOVER_AUTO = 0, /* the policy chooses per run of pages */
	FERRY_MOVER_KERNEL,   /* move_pages(2) in parallel slices: any page, any process */
	FERRY_MOVER_EXCHANGE, /* take out, copy, put in: own private anonymous memory */
	FERRY_NR_MOVERS,
};

/*
 * Why pages went by the kernel mover although the exchange mover was wanted or possible, or why
 * they were not moved at all.
 */
enum ferry_reason {
	FERRY_REASON_NONE = 0,
	FERRY_REASON_SHORT,     /* run too short to be worth it */
	FERRY_REASON_FOREIGN,   /* another process's page */
	FERRY_REASON_NO_UFFD,   /* no full userfaultfd, or UFFDIO_MOVE missing or not trusted */
	FERRY_REASON_MAPPING,   /* file, shared, read-only, executable, locked, hugetlb … */
	FERRY_REASON_OWN,       /* the library's own memory or the calling thread's stack */
	FERRY_REASON_UFFD_BUSY, /* the program watches this memory with a userfaultfd of its own */
	FERRY_REASON_REFUSED,   /* the kernel refused to take it out: pinned, shared, KSM, mTHP */
	FERRY_REASON_NO_FRAMES, /* no frames to be had on the destination, or the pool is capped */
	FERRY_REASON_CHANGED,   /* unmapped, remapped or discarded while it was to be moved */
	FERRY_REASON_ENGINE,    /* the engine left it undone; the CPU copied it */
	FERRY_REASON_ASKED,     /* the request or the options named a mover */
	FERRY_REASON_STOPPED, /* cancelled, past its deadline, or after a failure it had to stop at
			       */
	FERRY_REASON_FAILED,  /* the kernel could not move it: see the page's status */
	FERRY_NR_REASONS,
};

/* Short English names ("exchange", "uffd-busy"); "?" for a number that is none. */
FERRY_API const char *ferry_mover_name(enum ferry_mover mover);
FERRY_API const char *ferry_reason_name(enum ferry_reason reason);

/* ---- log ------------------------------------------------------------------------------------ */

enum ferry_log_level { FERRY_LOG_ERROR, FERRY_LOG_WARN, FERRY_LOG_INFO, FERRY_LOG_DEBUG };

typedef void (*ferry_log_fn)(void *arg, int level, const char *message);

/*
 * Sets where the library may say something: one function for the whole process, NULL (the default)
 * for silence. Called from any thread, never while pages are out. It must not call the library.
 */
FERRY_API void ferry_set_log(ferry_log_fn fn, void *arg);

/* "0.1.0" */
FERRY_API const char *ferry_version(void);

/* ---- context -------------------------------------------------------------------------------- */

/* Frames that leave the process's pages are freed, not used again. See pageferry(7), ZEROCOPY. */
#define FERRY_OPEN_FRESH_FRAMES (1U << 0)
/* Never use the exchange mover. */
#define FERRY_OPEN_KERNEL_ONLY (1U << 1)
/*
 * Workers get no larger share of the CPUs than other threads. Without this flag they run at the
 * process's nice value - 10 if it may do that (CAP_SYS_NICE, RLIMIT_NICE): who accesses a page that
 * is out waits for a worker, and so for all that keep the worker from its CPU.
 */
#define FERRY_OPEN_NO_BOOST (1U << 2)

struct ferry_options {
	size_t size;
	const char *engine;      /* "cpu", "cpu:kernel=avx2-nt", "dsa:model" …; NULL: the best */
	unsigned int nr_workers; /* worker threads; 0: one per core, by placement, at most 16 */
	unsigned int flags;      /* FERRY_OPEN_* */
	uint64_t chunk_bytes;    /* largest piece that is out at a time; 0: 2 MiB, adaptive.
				  * A power of two, 4 KiB … 2 MiB */
	uint64_t stall_bound_ns; /* how long a page should be out at most; 0: 1 ms */
	uint64_t pool_cap_bytes; /* frames kept per node; 0: an eighth of the node's free memory */
	uint64_t pool_prefill_bytes; /* frames made ready on each node by ferry_open; 0: none */
	const char *synthetic; /* hwloc synthetic topology for placement tests; NULL: this one */
};

#define FERRY_OPTIONS_INIT                           \
	{                                            \
		.size = sizeof(struct ferry_options) \
	}

/*
 * Opens a context. options may be NULL for the defaults; it is copied.
 *
 * 0 and *out on success. On failure *out is NULL and the result is
 *  -EINVAL  an option is out of range or flags has an unknown bit;
 *  -E2BIG   options has members that this library does not know, and they are not zero;
 *  -ENOENT  no engine of that name;
 *  -ENODEV  the named engine can't be used here (`migbench doctor` says why);
 *  -ENOMEM, -EAGAIN  no memory, or no threads, to be had.
 * ferry_open_error() has a sentence about the calling thread's latest failure.
 *
 * A kernel without a usable userfaultfd is no failure: the kernel mover serves everything then.
 */
FERRY_API int ferry_open(struct ferry **out, const struct ferry_options *options);
FERRY_API const char *ferry_open_error(void);

/*
 * Ends all threads of the context, gives all frames back and frees it. NULL is ignored. Jobs must
 * have been closed and no call on it may be under way. In a forked child it only frees memory.
 */
FERRY_API void ferry_close(struct ferry *ferry);

/* Gives all idle frames back to the kernel now; they are trimmed by themselves when idle. */
FERRY_API void ferry_trim(struct ferry *ferry);

/* ---- the system calls ----------------------------------------------------------------------- */

/*
 * move_pages(2): same arguments, same checks in the same order, same results: -1 with errno, 0, or
 * the number of pages not moved. nodes NULL asks where the pages are. pid 0 is the caller.
 *
 * One difference: pages are moved in parallel. When the kernel would have stopped at a page that it
 * can't move, pages behind it may have been moved already; status says so truthfully, and the
 * positive result counts the pages that were not moved. See ferry_move_pages(3).
 *
 * ferry NULL is EINVAL. Thread-safe. Safe in a signal handler, where it becomes the plain system
 * call if the interrupted thread was inside the library.
 */
FERRY_API long ferry_move_pages(struct ferry *ferry, int pid, unsigned long count, void **pages,
				const int *nodes, int *status, int flags);

/* migrate_pages(2): all pages of a process on old_nodes go to new_nodes. As the system call. */
FERRY_API long ferry_migrate_pages(struct ferry *ferry, int pid, unsigned long maxnode,
				   const unsigned long *old_nodes, const unsigned long *new_nodes);

/* ---- jobs ----------------------------------------------------------------------------------- */

struct ferry_range {
	void *addr; /* any address; the pages it touches are meant */
	size_t len_bytes;
	int node;
};

/* Also move pages that are mapped by several processes (MPOL_MF_MOVE_ALL; needs CAP_SYS_NICE). */
#define FERRY_MOVE_ALL (1U << 0)
/* Put pages that are on the node already into other frames of it too (to measure, to compact). */
#define FERRY_MOVE_FRESH (1U << 1)
/* Start nothing more after the first page that could not be moved. */
#define FERRY_MOVE_STOP (1U << 2)
/*
 * How several workers exchange. Together: one takes pages out and puts them in while the others
 * sleep, and all copy in between. Apart: each for itself. Without either, whichever has been the
 * faster one here; both: -EINVAL. Where it is not possible together, it is done apart.
 */
#define FERRY_MOVE_TOGETHER (1U << 3)
#define FERRY_MOVE_APART    (1U << 4)

/* What to move: either ranges, or a list of pages. */
struct ferry_request {
	size_t size;
	int pid;                          /* 0: the caller */
	unsigned int flags;               /* FERRY_MOVE_* */
	const struct ferry_range *ranges; /* copied by ferry_submit, as are pages and nodes */
	size_t nr_ranges;
	void *const *pages;
	const int *nodes;
	size_t nr_pages;
	/*
	 * One entry per page (of a list: in its order; of ranges: per 4 KiB page, ranges one after
	 * another), or NULL. Always filled when the job ends: the node, or a negative errno as
	 * move_pages(2) has them; -ECANCELED for pages not attempted. Must stay until then.
	 */
	int *status;
	enum ferry_mover mover;   /* FERRY_MOVER_AUTO: the policy's choice */
	unsigned int nr_workers;  /* 0: the policy's choice */
	uint64_t chunk_bytes;     /* 0: the context's */
	uint64_t deadline_ns;     /* ends the job this long after ferry_submit; 0: never */
	uint64_t max_bytes_per_s; /* bandwidth cap; 0: none */
};

#define FERRY_REQUEST_INIT                           \
	{                                            \
		.size = sizeof(struct ferry_request) \
	}

struct ferry_result {
	size_t size;
	int error;            /* 0; -ECANCELED, -ETIMEDOUT (deadline), or what stopped it */
	uint64_t nr_pages;    /* pages asked for, 4 KiB each */
	uint64_t nr_moved;    /* now on their node because of this job */
	uint64_t nr_in_place; /* were on their node already */
	uint64_t nr_failed;   /* negative status, pages not attempted included */
	uint64_t pages_by_mover[FERRY_NR_MOVERS];
	uint64_t pages_by_reason[FERRY_NR_REASONS];
	uint64_t bytes_by_engine; /* copied by the engine */
	uint64_t bytes_by_cpu;    /* copied by the CPU where the engine had left them */
	uint64_t nr_calls;        /* move_pages(2) calls made */
	uint64_t nr_chunks;       /* chunks taken out and put back */
	uint64_t wall_ns;         /* from submit to end */
	uint64_t worker_cpu_ns;   /* CPU time of the threads that worked on it */
	uint64_t first_ns;        /* from submit until the first page was in place */
	uint64_t max_stall_ns;      /* longest time a page was out */
	uint64_t nr_frames_made;  /* frames allocated because the pool had none ready */
};

#define FERRY_RESULT_INIT                           \
	{                                           \
		.size = sizeof(struct ferry_result) \
	}

struct ferry_progress {
	uint64_t nr_pages; /* pages asked for */
	uint64_t nr_done;  /* settled so far, one way or another */
	bool ended;
};

/*
 * Starts a job and returns at once with *out. Thread-safe.
 *  -EINVAL  bad flags, neither or both of ranges and pages, a range that wraps, ranges that
 *           overlap, bad chunk_bytes;
 *  -EFAULT  an array can't be read;     -E2BIG  unknown members;
 *  -ENODEV  a node is not there or has no memory;   -EACCES  it is not in the cpuset;
 *  -ESRCH, -EPERM  as move_pages(2) says of pid and flags;   -ENOMEM, -ENFILE, -EMFILE.
 * Nothing has been moved then.
 */
FERRY_API int ferry_submit(struct ferry *ferry, const struct ferry_request *request,
			   struct ferry_job **out);

/* An eventfd that becomes readable when the job has ended. Owned by the job; don't close it. */
FERRY_API int ferry_job_fd(struct ferry_job *job);

/* Waits for the end, at most timeout_ns (UINT64_MAX: for ever, 0: just asks). 0, -ETIMEDOUT. */
FERRY_API int ferry_job_wait(struct ferry_job *job, uint64_t timeout_ns);

/*
 * Asks the job to end. Takes effect between chunks: no page is left half-moved. Pages that were not
 * attempted get -ECANCELED. Returns at once; wait for the end.
 */
FERRY_API void ferry_job_cancel(struct ferry_job *job);

FERRY_API void ferry_job_progress(struct ferry_job *job, struct ferry_progress *out);

/* Fills out->size bytes of the result. 0; -EBUSY before the end; -EINVAL size is 0. */
FERRY_API int ferry_job_result(struct ferry_job *job, struct ferry_result *out);

/* Cancels the job if it runs, waits for its end, and frees it. NULL is ignored. */
FERRY_API void ferry_job_close(struct ferry_job *job);

/* ---- what is there, and what happened ------------------------------------------------------- */

struct ferry_stats {
	size_t size;
	uint64_t nr_calls; /* ferry_move_pages and ferry_migrate_pages */
	uint64_t nr_jobs;  /* jobs ended, those behind such calls included */
	/* What such calls found in place and left to the kernel mover counts as moved by it. */
	uint64_t pages_by_mover[FERRY_NR_MOVERS];
	uint64_t pages_by_reason[FERRY_NR_REASONS];
	uint64_t nr_syscalls; /* move_pages(2) calls made */
	uint64_t nr_chunks;
	uint64_t bytes_by_engine;
	uint64_t bytes_by_cpu;
	uint64_t worker_cpu_ns;
	uint64_t max_stall_ns;
	uint64_t nr_frames_made;
	uint64_t nr_frames_freed;
	uint64_t pool_bytes; /* frames held now, all nodes */
};

#define FERRY_STATS_INIT                           \
	{                                          \
		.size = sizeof(struct ferry_stats) \
	}

/* Totals of a context since it was opened. Thread-safe. 0; -EINVAL size is 0. */
FERRY_API int ferry_get_stats(struct ferry *ferry, struct ferry_stats *out);

/*
 * Calls fn for each counter of the context's engine: totals since it was opened, such as
 * "descriptors", "retries", "fault.write", "fallback.hung" (items left to the CPU),
 * "fallback.hung.bytes", "status.page_fault". Which there are is the engine's affair, and may grow;
 * an engine that keeps none is no error, fn is not called then. Counters that other threads are
 * raising meanwhile are read one by one, so that a sum may be off by what happens during the call.
 *
 * Thread-safe. fn runs in the calling thread and may call the library, but not close this context.
 * name lives until fn returns. 0; -EINVAL ferry or fn is NULL; -ECHILD in a forked child, where the
 * engine is still the parent's.
 */
FERRY_API int ferry_engine_counters(struct ferry *ferry,
				    void (*fn)(void *arg, const char *name, uint64_t value),
				    void *arg);

/*
 * One thing that matters for speed, and whether it can be used here.
 * remedy: the command or setting that mends it; NULL where nothing is to be done.
 */
struct ferry_finding {
	const char *subject; /* "mover/exchange", "engine/cpu", "kernel/uffdio-move" … */
	bool usable;
	const char *detail;
	const char *remedy;
};

/* Calls fn for each finding, in a fixed order. The strings live until fn returns. 0, -ENOMEM. */
FERRY_API int ferry_doctor(void (*fn)(void *arg, const struct ferry_finding *finding), void *arg);

#ifdef __cplusplus
}
#endif

#endif
