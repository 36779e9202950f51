/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context, and the one worker's share of it. What the files of lib/ know of each other. */
#ifndef FERRY_INTERNAL_H
#define FERRY_INTERNAL_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/futex.h"
#include "base/pace.h"
#include "base/thread.h"
#include "crew/crew.h"
#include "engines/engine.h"
#include "include/pageferry.h"
#include "lib/blocks.h"
#include "lib/gate.h"
#include "lib/kernel_mover.h"
#include "lib/nodes.h"
#include "lib/parcel.h"
#include "lib/pool.h"
#include "lib/turnstile.h"
#include "lib/uffd.h"
#include "policy/policy.h"

#define MAX_WORKERS (GATE_DOORS - 1)
/* More memory nodes than this are served by the kernel mover. */
#define MAX_POOL_NODES 64
#define LANE_PARCELS   32

/* What a lane has done for a job; added up when it leaves. */
struct tally {
	uint64_t nr_moved, nr_in_place, nr_failed;
	uint64_t pages_by_mover[FERRY_NR_MOVERS];
	uint64_t pages_by_reason[FERRY_NR_REASONS];
	uint64_t bytes_by_engine, bytes_by_cpu;
	uint64_t nr_calls, nr_chunks;
	uint64_t worker_cpu_ns, max_out_ns, first_ns;
	uint64_t nr_frames_made;
};

/* Pages that a lane could not exchange, on their way to the kernel mover. */
struct leftover {
	unsigned int nr;
	uintptr_t pages[SLICE_MAX_PAGES];
	uint64_t positions[SLICE_MAX_PAGES];
	uint8_t reasons[SLICE_MAX_PAGES];
	int nodes[SLICE_MAX_PAGES];
	int before[SLICE_MAX_PAGES]; /* where they were, or STATUS_UNSET if nobody looked */
	int status[SLICE_MAX_PAGES];
};

/* For which of the gathered pages each page of a slice stands. */
struct naming {
	int pagemap_fd; /* of the job's process */
	unsigned int first[SLICE_MAX_PAGES];
	uint16_t nr[SLICE_MAX_PAGES];
};

/* One worker's own, in vault memory. */
struct lane {
	struct ferry *ferry;
	unsigned int door;
	struct ferry_job *job; /* the one it works on now */
	struct tally tally;
	uint64_t chunk_bytes;
	unsigned int gather;     /* parcels to have out before they are copied */
	unsigned int nr_out;     /* parcels out */
	unsigned int nr_live;    /* (gate) parcels that are live */
	long nr_preempted;       /* involuntary context switches, when last looked at */
	uint64_t waited_ns;      /* for a CPU, when last looked at */
	uint64_t fresh_since_ns; /* it has had its CPU since then, at the earliest */
	struct engine_channel *channels[MAX_POOL_NODES];
	struct engine_channel *channel; /* the one of the chunk at hand */
	struct parcel *strays;
	struct parcel *free;
	struct parcel parcels[LANE_PARCELS];
	struct leftover leftover;
	struct slice slice;
	struct naming naming;
} __cacheline_aligned;

struct watcher {
	struct thread thread;
	bool running;
	atomic_bool stop;
	atomic_bool ticking; /* it looks after idle frames every now and then */
	int wake_fd;
	atomic_uint nr_strays; /* registered ranges that mremap(2) carried elsewhere, or added */
	struct {
		uintptr_t start;
		size_t len_bytes;
	} strays[64];
	/* (gate) a ring: what the program has discarded lately */
	struct discard {
		uintptr_t start, end;
		uint64_t at_ns;
	} discards[64];
	unsigned int next_discard;
};

struct ferry {
	struct nodes nodes;
	struct blocks blocks;
	struct crew *crew;
	struct engine *engine;
	const struct copy_kernel *cpu_copy; /* finishes what an engine leaves */
	struct policy_machine machine;
	bool boost;               /* threads of ours run ahead of others */
	atomic_uint gather;       /* what lanes have found to be within the stall bound */
	_Atomic uint64_t page_ns; /* what the kernel mover takes for a page; 0 unknown */
	uint64_t pool_cap_bytes;
	uint64_t prefill_bytes;
	int vmstat_fd;

	int uffd; /* -1: no exchange mover */
	struct uffd_caps caps;
	struct watcher watcher;
	atomic_bool fresh_frames;
	atomic_bool mthp; /* folios between 4 KiB and 2 MiB may be about */
	_Atomic uint64_t mthp_checked_ns;
	atomic_bool forked; /* this is a child's copy of the parent's context */

	struct gate moves; /* inside: around each UFFDIO_MOVE. shut: events are read and handled */
	struct turnstile turnstile;
	_Atomic uint64_t contended_until_ns; /* CPUs are short */
	_Atomic uint64_t contended_for_ns;   /* how long that was believed the last time */
	struct gate outs; /* inside: while pages are out. shut: a fork is under way */

	struct futex_lock pools_lock;
	_Atomic(struct pool *) pools[MAX_POOL_NODES][2]; /* by node, then small and huge */
	atomic_uint nr_active_jobs;
	struct futex_lock runs_lock; /* around registering and unregistering runs */
	unsigned int nr_registered;  /* (runs_lock) jobs whose runs are registered */
	_Atomic uint64_t idle_since_ns;

	struct futex_lock stats_lock;
	struct tally totals;
	struct pace ways[2]; /* together or apart, for small pages and for huge ones */
	_Atomic uint64_t nr_calls;
	uint64_t nr_jobs;

	struct ferry *next; /* all contexts of the process, for fork */
	unsigned int nr_lanes;
	struct lane *lanes; /* one per worker, and one for callers */
	size_t lanes_bytes;
	struct futex_lock caller_lane; /* the last lane is for callers who help */
};

/* The pool of a node, opened at first use. NULL: no exchange to or from that node. */
struct pool *ferry_pool(struct ferry *ferry, int node, bool huge);

/*
 * From now on frames that left the process's pages are freed, not used again: for programs that
 * hand pages to the kernel by reference (MSG_ZEROCOPY, vmsplice).
 */
void ferry_fresh_frames(struct ferry *ferry);

/* Frees frames on nodes that run low on memory. */
void ferry_trim_low(struct ferry *ferry);

/* The totals, as ferry_get_stats has them. */
void ferry_count(struct ferry *ferry, const struct tally *tally);
void tally_add(struct tally *sum, const struct tally *part);

/* watcher.c: reads the userfaultfd's events. */
int watcher_start(struct ferry *ferry);
void watcher_stop(struct ferry *ferry);
void watcher_wake(struct ferry *ferry);
/* There may be frames to look after. */
void watcher_note_frames(struct ferry *ferry);
/* Before [start, end) is unregistered: has it grown by mremap(2)? Then the rest is a stray. */
void watcher_note_grown(struct ferry *ferry, uintptr_t start, uintptr_t end);
/*
 * Ends the watch over ranges that were carried elsewhere by mremap(2), or grew. No run is
 * registered, and none may become so meanwhile.
 */
void watcher_unregister_strays(struct ferry *ferry);
/* May a madvise(2) that discards some of this be under way? Asked inside the `moves` gate. */
bool watcher_sees_discard(const struct ferry *ferry, uintptr_t start, size_t len_bytes);

typedef void (*parcel_fn)(struct ferry *ferry, struct parcel *parcel, void *arg);

/* The parcels that are out. For the watcher, with the `moves` gate shut. */
void for_each_live(struct ferry *ferry, parcel_fn fn, void *arg);

/*
 * child.c: gives a child what it misses of pages that are out, by its userfaultfd, which is closed.
 * For the watcher, with the `moves` gate shut.
 */
void child_serve(struct ferry *ferry, int fd);

/*
 * fork.c: no fork happens while pages are out. contexts_bring_in waits until no context of the
 * process has any out, and keeps it so until contexts_let_out.
 */
void contexts_bring_in(void);
void contexts_let_out(void);
int fork_watch(void);
void fork_add(struct ferry *ferry);
void fork_remove(struct ferry *ferry);
/* Is this a child's copy of a context of the parent's? */
bool fork_is_parents(const struct ferry *ferry);
/* In a forked child: no job of the parent's is in its way. */
void claims_forget(void);

#endif
