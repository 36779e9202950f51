/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * struct ferry, the context: what all requests that a program makes on it share. Lives in vault
 * memory.
 */
#ifndef FERRY_CONTEXT_H
#define FERRY_CONTEXT_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/futex.h"
#include "base/gate.h"
#include "base/pace.h"
#include "crew/crew.h"
#include "engines/engine.h"
#include "include/pageferry.h"
#include "lib/core/cost_model.h"
#include "lib/core/inflight_limit.h"
#include "lib/core/lane.h"
#include "lib/core/tally.h"
#include "lib/core/window.h"
#include "lib/nodes/kernel_file.h"
#include "lib/nodes/memory_blocks.h"
#include "lib/nodes/nodes.h"
#include "lib/pool/pools.h"
#include "lib/uffd/uffd.h"
#include "lib/uffd/uffd_keeper.h"
#include "policy/policy.h"

#define MAX_WORKERS (GATE_DOORS - 1)

struct threads;
struct watcher;

struct ferry {
	struct nodes nodes;
	struct memory_blocks blocks;
	struct crew *crew;
	struct engine *engine;
	const struct copy_kernel *cpu_copy; /* copies what the engine did not copy */
	struct policy_machine machine;
	struct cost_model model;
	bool boost; /* workers and watcher run at a higher priority */
	uint64_t prefill_bytes;
	struct kernel_file vmstat; /* for nodes_migration_stamp() */

	/* the exchange mover */
	int uffd; /* -1: the exchange mover is off */
	struct uffd_keeper uffd_keeper;
	struct uffd_caps caps;
	struct watcher *watcher;
	struct threads *threads;
	struct pools pools;
	atomic_bool fresh_frames; /* FERRY_OPEN_FRESH_FRAMES */
	atomic_bool mthp;         /* the machine may have folios between 4 KiB and 2 MiB */
	_Atomic uint64_t mthp_checked_ns;
	struct gate move_gate; /* lanes are inside during UFFDIO_MOVE; shut to handle events */
	struct gate
		in_flight_gate; /* lanes are inside while they have pages in flight; shut to fork */
	struct inflight_limit inflight_limit;
	struct futex_lock runs_lock; /* held while windows are registered and unregistered */
	unsigned int nr_windows;     /* (runs_lock) that are open */
	struct window windows[NR_WINDOWS];

	/* learned from the jobs so far */
	atomic_uint gather;       /* parcels in flight per lane that keep the stall bound */
	_Atomic uint64_t page_ns; /* per page of the kernel mover; 0: unknown */
	_Atomic uint64_t contended_until_ns; /* CPUs are taken to be contended until then */
	_Atomic uint64_t contended_for_ns;   /* the length of the latest such period */
	struct pace mode_pace[2]; /* (stats_lock) of enum policy_mode, for small and huge pages */

	struct futex_lock stats_lock;
	struct tally totals;
	_Atomic uint64_t nr_calls;
	uint64_t nr_jobs;
	atomic_uint nr_active_jobs;
	_Atomic uint64_t idle_since_ns;

	unsigned int nr_lanes;
	struct lane *lanes; /* one per worker; the last one is for a caller that helps */
	size_t lanes_bytes;
	struct futex_lock caller_lane; /* held by the caller that uses the last lane */

	struct ferry *next; /* in the list of all contexts of the process, for fork */
	atomic_bool forked; /* a forked child's copy of the parent's context */
};

/* Opens the pool of small frames of a node. False: no page is exchanged to or from that node. */
bool context_has_pool(struct ferry *ferry, int node);

/* Adds a job's tally to the totals that ferry_get_stats reports. */
void context_add_tally(struct ferry *ferry, const struct tally *tally);

#endif
