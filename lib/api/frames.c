// SPDX-License-Identifier: LGPL-2.1-or-later
/* The frames that a context keeps: fills its pools in advance, trims them, or stops reusing frames.
 */
#include "lib/api/call.h"
#include "lib/api/fork.h"
#include "lib/api/frames.h"
#include "lib/api/preload.h"
#include "lib/exchange/exchange.h"

void ferry_trim(struct ferry *ferry)
{
	uint64_t signals;

	if (!ferry || fork_is_copy(ferry))
		return;
	signals = call_block_signals();
	pools_trim(&ferry->pools, ferry->prefill_bytes);
	call_unblock_signals(signals);
}

struct prefill {
	struct crew_task task;
	struct ferry *ferry;
	uint64_t stamp;
};

/* Each worker goes through all pools; an extent is added by the first that comes to it. */
static bool prefill_pools(struct crew_task *task, unsigned int worker __maybe_unused)
{
	struct prefill *prefill = CONTAINER_OF(task, struct prefill, task);

	for (int node = 0; node < MAX_POOL_NODES; node++) {
		struct pool *pool = pools_get(&prefill->ferry->pools, node, false);

		if (pool)
			pool_fill(pool, prefill->ferry->prefill_bytes, prefill->stamp);
	}
	return false;
}

void frames_prefill(struct ferry *ferry)
{
	struct prefill prefill = {
		.task = {.work = prefill_pools, .nr_wanted = crew_nr_workers(ferry->crew)},
		.ferry = ferry,
		.stamp = nodes_migration_stamp(atomic_load(&ferry->vmstat.fd)),
	};

	crew_run(ferry->crew, &prefill.task, CREW_CALLER);
	watcher_note_frames(ferry);
}

void ferry_fresh_frames(struct ferry *ferry)
{
	atomic_store(&ferry->fresh_frames, true);
}
