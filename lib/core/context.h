/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context: what all requests of a struct ferry share. In vault memory. */
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
#include "lib/core/inflight_limit.h"
#include "lib/core/lane.h"
#include "lib/core/tally.h"
#include "lib/nodes/memory_blocks.h"
#include "lib/nodes/nodes.h"
#include "lib/pool/pools.h"
#include "lib/uffd/uffd.h"
#include "policy/policy.h"

#define MAX_WORKERS (GATE_DOORS - 1)

struct watcher;

struct ferry {
	struct nodes nodes;
	struct memory_blocks blocks;
	struct crew *crew;
	struct engine *engine;
	const struct copy_kernel *cpu_copy; /* copies what the engine leaves */
	struct policy_machine machine;
	bool boost; /* workers and watcher run at a higher priority */
	uint64_t prefill_bytes;
	int vmstat_fd;

	/* the exchange mover */
	int uffd; /* -1: there is none */
	struct uffd_caps caps;
	struct watcher *watcher;
	struct pools pools;
	atomic_bool fresh_frames; /* FERRY_OPEN_FRESH_FRAMES */
	atomic_bool mthp;         /* the machine may have folios between 4 KiB and 2 MiB */
	_Atomic uint64_t mthp_checked_ns;
	struct gate move_gate; /* passed around each UFFDIO_MOVE; shut while events are handled */
	struct gate in_flight_gate; /* passed while pages are in flight; shut during a fork */
	struct inflight_limit inflight_limit;
	struct futex_lock runs_lock; /* held to register and unregister runs */
	unsigned int nr_registered;  /* (runs_lock) jobs whose runs are registered */

	/* what jobs teach the next ones */
	atomic_uint gather;       /* parcels in flight per lane that keep the stall bound */
	_Atomic uint64_t page_ns; /* what the kernel mover takes for a page; 0 unknown */
	_Atomic uint64_t contended_until_ns; /* CPUs are short */
	_Atomic uint64_t contended_for_ns;   /* the last span of contended_until_ns */
	struct pace modes[2]; /* (stats_lock) together or apart, for small and huge pages */

	struct futex_lock stats_lock;
	struct tally totals;
	_Atomic uint64_t nr_calls;
	uint64_t nr_jobs;
	atomic_uint nr_active_jobs;
	_Atomic uint64_t idle_since_ns;

	unsigned int nr_lanes;
	struct lane *lanes; /* one per worker, and the last one for callers that help */
	size_t lanes_bytes;
	struct futex_lock caller_lane;

	struct ferry *next; /* all contexts of the process, for fork */
	atomic_bool forked; /* this is a forked child's copy of its parent's context */
};

/* Adds a job's tally to the totals that ferry_get_stats reports. */
void context_add_tally(struct ferry *ferry, const struct tally *tally);

#endif
