/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pageferry: moves memory pages between NUMA nodes.
 *
 *	struct ferry *ferry;
 *	int err = ferry_open(&ferry, NULL);
 *	long left = ferry_move_pages(ferry, 0, count, pages, nodes, status, MPOL_MF_MOVE);
 *	ferry_close(ferry);
 *
 * A context (struct ferry) holds the worker threads, the frame pools of each node, and what the
 * library knows about the machine. Opening one takes milliseconds: open it once and use it from any
 * thread. A process may open several.
 *
 * There are two interfaces:
 *  - ferry_move_pages() and ferry_migrate_pages() take the arguments of the system calls of those
 *    names and return the same results: -1 with errno, 0, or a positive count.
 *  - Jobs (ferry_submit() and ferry_job_*) run in the background, continue after failures, and
 *    account for every page.
 *
 * All functions but those two return 0 or a negative error number, if they can fail, and preserve
 * errno. All functions are thread-safe unless their comment says otherwise. A signal handler may
 * call only those whose comment says so.
 *
 * Structures that begin with `size` grow at their end in later versions. Set size to the sizeof of
 * the structure and zero the rest, as the FERRY_*_INIT macros do. If the program is newer than the
 * library and sets a member that the library does not know, the call fails with -E2BIG.
 *
 * A page is in flight while the exchange mover has taken it out of the address space. A thread that
 * accesses the page sleeps until it is back; that time is a stall.
 *
 * A child of fork(2) must not use its parent's context except to close it. ferry_move_pages() and
 * ferry_migrate_pages() on such a context make the plain system call; ferry_submit() fails. See
 * pageferry(7) for what else a program can notice.
 *
 * Everything here is part of the library since version 0.1.0.
 */
#ifndef PAGEFERRY_H
#define PAGEFERRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The FERRY_*_INIT macros: size is set, every other member is 0. In C++ since C++98. */
#ifdef __cplusplus
template <typename Sized> static inline Sized ferry_sized()
{
	Sized sized = Sized();

	sized.size = sizeof(sized);
	return sized;
}

#define FERRY_SIZED(type) ferry_sized<type>()
extern "C" {
#else
#define FERRY_SIZED(type)                   \
	{                                   \
		.size = sizeof(struct type) \
	}
#endif

#define FERRY_API __attribute__((visibility("default")))

struct ferry;
struct ferry_job;

/* How a page is moved. */
enum ferry_mover {
	FERRY_MOVER_AUTO = 0, /* the library chooses for each run of pages */
	FERRY_MOVER_KERNEL,   /* by move_pages(2), in parallel slices: any page, any process */
	FERRY_MOVER_EXCHANGE, /* by UFFDIO_MOVE and a copy: own private anonymous memory */
	FERRY_NR_MOVERS,
};

/*
 * Why the exchange mover did not move a page, or (STOPPED, FAILED, sometimes CHANGED) why the page
 * was not moved at all. See pageferry(7).
 */
enum ferry_reason {
	FERRY_REASON_NONE = 0,
	FERRY_REASON_SHORT,       /* the run of pages is too short to be worth an exchange */
	FERRY_REASON_FOREIGN,     /* a page of another process */
	FERRY_REASON_NO_EXCHANGE, /* no exchange mover: KERNEL_ONLY, no full userfaultfd or
				   * UFFDIO_MOVE
				   */
	FERRY_REASON_MAPPING,     /* file, shared, read-only, executable, locked, hugetlb ... */
	FERRY_REASON_OWN,         /* the library's own memory, or the calling thread's stack */
	FERRY_REASON_UFFD_BUSY,   /* registered with a userfaultfd of the program */
	FERRY_REASON_REFUSED,     /* UFFDIO_MOVE cannot move it: pinned, shared, KSM, mTHP */
	FERRY_REASON_NO_FRAMES,   /* no free frames on the destination: no memory left to allocate,
				   * on the node or below a limit of the process */
	FERRY_REASON_CHANGED,     /* unmapped, remapped or discarded during the move */
	FERRY_REASON_ENGINE,      /* the engine did not copy it: the CPU or the kernel mover did */
	FERRY_REASON_FORK,        /* a fork was under way, and took long */
	FERRY_REASON_REQUESTED,   /* the request demands the kernel mover */
	FERRY_REASON_STOPPED,     /* not attempted: cancelled, deadline, or FERRY_MOVE_STOP */
	FERRY_REASON_FAILED,      /* the kernel could not move it: see the page's status */
	FERRY_REASON_THREAD,      /* the kernel needs it when a thread exits: control block, robust
				   * mutex
				   */
	FERRY_NR_REASONS,
};

/*
 * Short names in English, such as "exchange" and "uffd-busy"; "?" for an unknown value. The strings
 * are static. Async-signal-safe.
 */
FERRY_API const char *ferry_mover_name(enum ferry_mover mover);
FERRY_API const char *ferry_reason_name(enum ferry_reason reason);

/* ---- log ------------------------------------------------------------------------------------ */

enum ferry_log_level { FERRY_LOG_ERROR, FERRY_LOG_WARN, FERRY_LOG_INFO, FERRY_LOG_DEBUG };

/*
 * Called by any thread of the library or of the program, but never while pages are in flight. It
 * must not call the library. level: enum ferry_log_level. message has no newline and is valid until
 * the function returns.
 */
typedef void (*ferry_log_fn)(void *arg, int level, const char *message);

/*
 * Sets the function that receives log messages, one for the whole process. NULL, the default, drops
 * them. Concurrent calls must not overlap.
 */
FERRY_API void ferry_set_log(ferry_log_fn fn, void *arg);

/* The version of the library in use, such as "0.1.0". The string is static. Async-signal-safe. */
FERRY_API const char *ferry_version(void);

/* ---- context -------------------------------------------------------------------------------- */

/*
 * Frames that pages have left are freed, not reused. Slower; needed by programs that pass pages to
 * the kernel by reference. See ZEROCOPY in pageferry(7).
 */
#define FERRY_OPEN_FRESH_FRAMES (1U << 0)
/* Never use the exchange mover. */
#define FERRY_OPEN_KERNEL_ONLY (1U << 1)
/*
 * Workers keep the nice value of the process. Without this flag they lower it by 10 if they may
 * (CAP_SYS_NICE, RLIMIT_NICE). Threads that access a page in flight wait for a worker; the boost
 * shortens that wait on a busy machine.
 */
#define FERRY_OPEN_NO_BOOST (1U << 2)

struct ferry_options {
	size_t size;
	const char *engine;      /* "cpu", "cpu:kernel=movsb", "dsa:model" ...; several share each
				  * batch: "cpu+dsa"; NULL or "auto": the CPU and all devices that
				  * work */
	unsigned int nr_workers; /* at most, up to 63; 0: 16. No more than one per CPU */
	unsigned int flags;      /* FERRY_OPEN_* */
	uint64_t chunk_bytes;    /* the most to have in flight per chunk: a power of two from 4 KiB
				  * to 2 MiB; 0: 2 MiB. Smaller shortens stalls and is slower */
	uint64_t stall_bound_ns; /* the longest stall that chunks aim at; 0: 1 ms. A larger bound
				  * allows for larger chunks, which are faster */
	uint64_t pool_cap_bytes; /* the most memory in frames per node, for small and for huge pages
				  * each, besides what a job has in flight; 0: an eighth of what is
				  * available on the node. Raised to 64 MiB if it is less, lowered
				  * to the node's memory if it is more. The library holds less
				  * where jobs need less, or where limits of the process (cgroup,
				  * setrlimit) or the machine leave less */
	uint64_t pool_prefill_bytes; /* frames that ferry_open() allocates per node; 0: none */
	const char *synthetic;       /* hwloc synthetic topology, for tests; NULL: this machine's */
};

#define FERRY_OPTIONS_INIT FERRY_SIZED(ferry_options)

/*
 * Opens a context and stores it in *out; ferry_close() frees it. options are copied; NULL means the
 * defaults. The strings in it are not used after the call. Blocks for some milliseconds, longer
 * with pool_prefill_bytes.
 *
 * Returns 0. On failure *out is NULL, ferry_open_error() has the details, and the result is
 *  -EINVAL  an option is out of range, flags has an unknown bit, or size is 0: correct the options;
 *  -E2BIG   options sets members that this library does not know: leave them 0, or install a newer
 *           library;
 *  -ENOENT  no engine has that name;
 *  -ENODEV  the named engine cannot be used here (`migbench doctor` says why), or the CPUs of the
 *           machine cannot be determined;
 *  -ENOMEM  not enough memory;
 *  -EAGAIN  no thread can be created: see RLIMIT_NPROC and pids.max;
 *  -EMFILE, -ENFILE  no file descriptor is left;
 *  -EOPNOTSUPP  the kernel's pages are not of 4 KiB.
 *
 * Only pages on nodes 0 to 63 that go to one of these are exchanged; the kernel mover serves
 * others. If the kernel has no usable userfaultfd, this succeeds and the kernel mover serves all
 * pages.
 */
FERRY_API int ferry_open(struct ferry **out, const struct ferry_options *options);

/*
 * A sentence on the calling thread's latest failure of ferry_open(), or "" after a success. The
 * library owns the string; it is valid until the thread calls ferry_open() again.
 */
FERRY_API const char *ferry_open_error(void);

/*
 * Ends the threads of the context, frees its frames and the context itself. NULL is ignored. It
 * must be the last call on the context: all jobs must be closed, and no other call may be running.
 * In a forked child it frees the copy of the parent's context; the parent's is not affected.
 */
FERRY_API void ferry_close(struct ferry *ferry);

/*
 * Frees all idle frames now, except pool_prefill_bytes of them per node. Not needed as a rule: the
 * library frees frames that are idle for some seconds, and within a second where memory is short.
 * NULL is ignored.
 */
FERRY_API void ferry_trim(struct ferry *ferry);

/* ---- the system calls ----------------------------------------------------------------------- */

/*
 * move_pages(2): the same arguments, the same checks in the same order, the same results: -1 with
 * errno, 0, or the number of pages that were not moved. If nodes is NULL it moves nothing and
 * stores in status where the pages are. pid 0 is the caller. Error numbers are those of
 * move_pages(2), and EINVAL if ferry is NULL. ferry_move_pages(3) lists them with remedies.
 *
 * One difference: pages are moved in parallel. The kernel stops at the first page that it cannot
 * move. This function then starts nothing more, but it may have moved later pages of the array
 * already. Their status says so, and a positive result counts the pages that were not moved.
 *
 * Blocks until the request is done. Signals to the calling thread are handled afterwards, as with
 * the system call. Safe in a signal handler: if the handler has interrupted the library, this is
 * the plain system call.
 */
FERRY_API long ferry_move_pages(struct ferry *ferry, int pid, unsigned long count, void **pages,
				const int *nodes, int *status, int flags);

/*
 * migrate_pages(2): moves all pages of a process that are on old_nodes to new_nodes, with the
 * arguments, results and error numbers of the system call, and EINVAL if ferry is NULL. Blocks, and
 * is safe in a signal handler, as ferry_move_pages() is.
 */
FERRY_API long ferry_migrate_pages(struct ferry *ferry, int pid, unsigned long maxnode,
				   const unsigned long *old_nodes, const unsigned long *new_nodes);

/* ---- jobs ----------------------------------------------------------------------------------- */

struct ferry_range {
	void *addr; /* need not be aligned: all pages that the range touches are moved */
	size_t len_bytes;
	int node;
};

/* Also move pages that are mapped by several processes (MPOL_MF_MOVE_ALL; needs CAP_SYS_NICE). */
#define FERRY_MOVE_ALL (1U << 0)
/*
 * Also move pages that are on their node already, to other frames of it: to measure, or to compact.
 * Only the exchange mover can.
 */
#define FERRY_MOVE_ALWAYS (1U << 1)
/* After the first page that could not be moved start nothing more: the job's error is -EBUSY. */
#define FERRY_MOVE_STOP (1U << 2)
/*
 * How several workers exchange. TOGETHER: one worker takes pages out and puts them in while the
 * others sleep, and all copy in between. APART: each worker does all steps for its own chunks.
 * Without either flag the library uses the mode that has been faster on this machine, and tries the
 * other now and then; both flags are -EINVAL. If a job cannot run together, it runs apart.
 */
#define FERRY_MOVE_TOGETHER (1U << 3)
#define FERRY_MOVE_APART    (1U << 4)

/* What to move: either ranges, or a list of pages with a node each. */
struct ferry_request {
	size_t size;
	int pid;                          /* 0: the caller */
	unsigned int flags;               /* FERRY_MOVE_* */
	const struct ferry_range *ranges; /* copied, as are pages and nodes; must not overlap */
	size_t nr_ranges;
	void *const *pages;
	const int *nodes;
	size_t nr_pages;
	/*
	 * NULL, or an array with one entry per page: in the order of the list, or of the ranges'
	 * 4 KiB pages, one range after another. When the job ends, each entry is set to the page's
	 * node, to a negative error number of move_pages(2), or to -ECANCELED if the page was not
	 * attempted. The array must stay valid until then.
	 */
	int *status;
	enum ferry_mover mover;   /* FERRY_MOVER_AUTO: the library chooses */
	unsigned int nr_workers;  /* at most; 0: the library chooses */
	uint64_t chunk_bytes;     /* as in struct ferry_options; 0: the context's */
	uint64_t deadline_ns;     /* ends the job this long after ferry_submit(); 0: never */
	uint64_t max_bytes_per_s; /* bandwidth cap, averaged over the job; 0: none */
};

#define FERRY_REQUEST_INIT FERRY_SIZED(ferry_request)

struct ferry_result {
	size_t size;
	int error;            /* 0; -ECANCELED; -ETIMEDOUT: deadline; -EBUSY: FERRY_MOVE_STOP */
	uint64_t nr_pages;    /* in the request, 4 KiB each: the sum of the next three */
	uint64_t nr_moved;    /* moved to their node by this job */
	uint64_t nr_in_place; /* on their node before the job */
	uint64_t nr_failed;   /* negative status, including pages not attempted */
	uint64_t pages_by_mover[FERRY_NR_MOVERS];
	uint64_t pages_by_reason[FERRY_NR_REASONS];
	uint64_t bytes_by_engine;     /* copied by the engine */
	uint64_t bytes_by_cpu;        /* copied by the CPU because the engine failed */
	uint64_t nr_syscalls;         /* calls of move_pages(2) that move pages */
	uint64_t nr_chunks;           /* chunks exchanged */
	uint64_t wall_ns;             /* from ferry_submit() to the end */
	uint64_t worker_cpu_ns;       /* CPU time of the threads that worked on it */
	uint64_t first_page_ns;       /* from ferry_submit() until the first pages were settled */
	uint64_t max_stall_ns;        /* the longest time that a page was in flight */
	uint64_t nr_frames_allocated; /* frames allocated because the pool had no free one */
};

#define FERRY_RESULT_INIT FERRY_SIZED(ferry_result)

struct ferry_progress {
	uint64_t nr_pages; /* in the request */
	uint64_t nr_done;  /* settled so far: moved, in place, or failed */
	bool ended;
};

/*
 * Checks the request, starts a job, stores it in *out and returns without waiting for it. Every job
 * must be closed by ferry_job_close(), before its context is. Jobs of one process whose addresses
 * overlap run one after another, in the order of submission, if one of them exchanges pages.
 *
 * Returns 0. On failure *out is NULL, nothing has been moved, and the result is
 *  -EINVAL  flags has an unknown bit, or both TOGETHER and APART; both or neither of ranges and
 *           pages are given; a range wraps, or two overlap; chunk_bytes or mover is invalid; size
 *           is 0; the process is a kernel thread; ferry is NULL or the parent's; or the caller is
 *           a signal handler that has interrupted the library;
 *  -E2BIG   request sets members that this library does not know: leave them 0;
 *  -EFAULT  an array cannot be read;
 *  -ENODEV  a node is not online, has no memory, or is not a node number;
 *  -EACCES  a node is outside the cpuset of the process: allow it in cpuset.mems;
 *  -ESRCH   no process has that pid;
 *  -EPERM   FERRY_MOVE_ALL without CAP_SYS_NICE; another user's process without CAP_SYS_PTRACE;
 *           or a seccomp filter forbids process_vm_readv(2) on the process itself;
 *  -ENOMEM  not enough memory for the plan.
 */
FERRY_API int ferry_submit(struct ferry *ferry, const struct ferry_request *request,
			   struct ferry_job **out);

/*
 * An eventfd that becomes readable when the job has ended; ferry_job_result() succeeds from then
 * on. The first call makes it. The job owns it: do not close it.
 *
 *  -EMFILE, -ENFILE  no file descriptor is left;
 *  -ENOMEM           not enough memory.
 */
FERRY_API int ferry_job_fd(struct ferry_job *job);

/*
 * Waits until the job has ended, for at most timeout_ns; UINT64_MAX has no limit, 0 does not wait.
 * 0 if the job has ended, otherwise -ETIMEDOUT.
 */
FERRY_API int ferry_job_wait(struct ferry_job *job, uint64_t timeout_ns);

/*
 * Stops the job and returns without waiting for its end. Chunks in flight are completed, so every
 * page is either moved or where it was. Pages that were not attempted have status -ECANCELED. No
 * effect on a job that has ended.
 */
FERRY_API void ferry_job_cancel(struct ferry_job *job);

/* Fills *out. Does not block. */
FERRY_API void ferry_job_progress(struct ferry_job *job, struct ferry_progress *out);

/*
 * Fills the first out->size bytes of *out. 0; -EBUSY: the job has not ended, wait for it; -EINVAL:
 * out->size is 0.
 */
FERRY_API int ferry_job_result(struct ferry_job *job, struct ferry_result *out);

/*
 * Cancels the job if it still runs, waits for its end, frees it and closes its eventfd. NULL is
 * ignored. It must be the last call on the job, and no thread may be waiting for the job. In a
 * forked child it does not wait; the parent's job is not affected.
 */
FERRY_API void ferry_job_close(struct ferry_job *job);

/* ---- statistics and diagnosis --------------------------------------------------------------- */

struct ferry_stats {
	size_t size;
	uint64_t nr_calls; /* of ferry_move_pages() and ferry_migrate_pages() */
	uint64_t nr_jobs;  /* that have ended, including those inside such calls */
	/* Pages that such a call passes to the kernel mover count as moved even if in place. */
	uint64_t pages_by_mover[FERRY_NR_MOVERS];
	uint64_t pages_by_reason[FERRY_NR_REASONS];
	uint64_t nr_syscalls; /* calls of move_pages(2) that move pages */
	/* The next six are as in struct ferry_result, over all jobs. */
	uint64_t nr_chunks;
	uint64_t bytes_by_engine;
	uint64_t bytes_by_cpu;
	uint64_t worker_cpu_ns;
	uint64_t max_stall_ns;
	uint64_t nr_frames_allocated;
	uint64_t nr_frames_freed; /* given back to the kernel */
	uint64_t pool_bytes;      /* frames held now, all nodes */
};

#define FERRY_STATS_INIT FERRY_SIZED(ferry_stats)

/*
 * Fills the first out->size bytes of *out with the totals of the context since it was opened. 0;
 * -EINVAL: out->size is 0.
 */
FERRY_API int ferry_get_stats(struct ferry *ferry, struct ferry_stats *out);

/*
 * Calls fn for each counter of the context's engine, with its total since the context was opened.
 * Examples: "descriptors", "retries", "fault.write", "fallback.hung" (items that the CPU copied),
 * "fallback.hung.bytes", "status.page_fault". Where several engines share the work, the names begin
 * with that of the engine, and "split.ENGINE." has what each was given. The set depends on the
 * engine and may grow in later versions. An engine may have no counters; fn is then not called.
 * Counters are read one after another while other threads increment them, so their values may
 * differ by what happens meanwhile.
 *
 * fn runs in the calling thread. It may call the library, but must not close this context. name is
 * valid until fn returns. 0; -EINVAL: ferry or fn is NULL; -ECHILD: the context is the parent's.
 */
FERRY_API int ferry_engine_counters(struct ferry *ferry,
				    void (*fn)(void *arg, const char *name, uint64_t value),
				    void *arg);

/* One part of the machine that pageferry's speed depends on, and whether it can be used. */
struct ferry_finding {
	const char *subject; /* "mover/exchange", "engine/cpu", "kernel/uffdio-move" ... */
	bool usable;
	const char *detail; /* what was found; may be NULL */
	const char *remedy; /* the command or setting that helps; NULL: there is none */
};

/*
 * Examines the machine and calls fn in the calling thread for each finding, in a fixed order. Needs
 * no context. The strings are valid until fn returns. 0, -ENOMEM.
 */
FERRY_API int ferry_doctor(void (*fn)(void *arg, const struct ferry_finding *finding), void *arg);

#ifdef __cplusplus
}
#endif

#endif
