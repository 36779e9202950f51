// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/kernel.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/vault.h"
#include "engines/cpu/kernels.h"
#include "lib/api/fork.h"
#include "lib/api/preload.h"
#include "lib/core/context.h"
#include "lib/exchange/exchange.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/mthp.h"
#include "lib/api/options.h"
#include "lib/nodes/pagemap.h"
#include "lib/core/exchange_mode.h"

/* Chunks of the first job that are gathered, until it is known how long that takes. */
#define GATHER_START   8
#define STALL_BOUND_NS (1 * NS_PER_MS)

static __thread char open_error[1024];

const char *ferry_open_error(void)
{
	return open_error;
}

void ferry_trim(struct ferry *ferry)
{
	if (ferry && !fork_is_parents(ferry))
		pools_trim(&ferry->pools, ferry->prefill_bytes);
}

struct prefill {
	struct crew_task task;
	struct ferry *ferry;
	uint64_t stamp;
};

/* Every hand fills all pools: each extent is added by whoever comes first. */
static bool prefill_work(struct crew_task *task, unsigned int worker __maybe_unused)
{
	struct prefill *prefill = CONTAINER_OF(task, struct prefill, task);

	for (int node = 0; node < MAX_POOL_NODES; node++) {
		struct pool *pool = pools_get(&prefill->ferry->pools, node, false);

		if (pool)
			pool_fill(pool, prefill->ferry->prefill_bytes, prefill->stamp);
	}
	return false;
}

static void prefill(struct ferry *ferry)
{
	struct prefill prefill = {
		.task = {.work = prefill_work, .nr_wanted = crew_nr_workers(ferry->crew)},
		.ferry = ferry,
		.stamp = nodes_migration_stamp(ferry->vmstat_fd),
	};

	crew_run(ferry->crew, &prefill.task, CREW_CALLER);
}

void ferry_fresh_frames(struct ferry *ferry)
{
	atomic_store(&ferry->fresh_frames, true);
}

/* ---- opening ---- */

static bool is_chunk(uint64_t bytes)
{
	return bytes >= PAGE_BYTES && bytes <= HUGE_BYTES && !(bytes & (bytes - 1));
}

static int check_options(const struct ferry_options *options)
{
	const char *what = NULL;

	if (options->flags &
	    ~(FERRY_OPEN_FRESH_FRAMES | FERRY_OPEN_KERNEL_ONLY | FERRY_OPEN_NO_BOOST))
		what = "flags has a bit that means nothing";
	else if (options->chunk_bytes && !is_chunk(options->chunk_bytes))
		what = "chunk_bytes must be a power of two from 4 KiB to 2 MiB";
	else if (options->nr_workers > MAX_WORKERS)
		what = "nr_workers must be at most 63";
	if (!what)
		return 0;
	snprintf(open_error, sizeof(open_error), "%s", what);
	return -EINVAL;
}

static int open_crew(struct ferry *ferry, const struct ferry_options *options)
{
	struct placement *placement;
	int err = placement_open(options->synthetic, &placement);

	if (!err) {
		unsigned int nr = options->nr_workers;

		err = crew_open(placement, nr, &ferry->crew);
		placement_close(placement);
	}
	if (err)
		snprintf(open_error, sizeof(open_error), "workers: %s", strerror(-err));
	return err;
}

static int open_engine(struct ferry *ferry, const char *spec)
{
	struct engine_env env = {.crew = ferry->crew};

	ferry->cpu_copy = copy_kernel_best(64 << 10, 1);
	return engine_open(spec, &env, &ferry->engine, open_error, sizeof(open_error));
}

static int open_lanes(struct ferry *ferry)
{
	void *lanes;
	int err;

	ferry->nr_lanes = crew_nr_workers(ferry->crew) + 1;
	ferry->lanes_bytes = ferry->nr_lanes * sizeof(struct lane);
	err = vault_alloc(ferry->lanes_bytes, &lanes);
	if (err)
		return err;
	ferry->lanes = lanes;
	for (unsigned int l = 0; l < ferry->nr_lanes; l++) {
		struct lane *lane = &ferry->lanes[l];

		lane->ferry = ferry;
		lane->door = l;
		for (unsigned int p = 0; p < LANE_PARCELS; p++) {
			lane->parcels[p].next = lane->free;
			lane->free = &lane->parcels[p];
		}
	}
	return 0;
}

/* What tells about pages. Where it can't be had, there are slower ways, and no exchange mover. */
static void open_maps(struct ferry *ferry)
{
	if (pagemap_open() || mappings_open())
		return;
	mthp_open();
	if (ferry->nodes.nr_memory == 1)
		return;
	memory_blocks_read(&ferry->blocks, &ferry->nodes, BLOCKS_ROOT);
	if (ferry->blocks.nr_runs && memory_blocks_find_zero(&ferry->blocks))
		log_info("page frame numbers can't be used here: where pages are is asked of the "
			 "kernel, which takes longer");
}

/* Without it the kernel mover serves everything: no failure. */
static int open_exchange(struct ferry *ferry, const struct ferry_options *options)
{
	int err;

	if (options->flags & FERRY_OPEN_KERNEL_ONLY)
		return 0;
	if (pagemap_own() < 0 || uffd_open(&ferry->uffd, &ferry->caps)) {
		ferry->uffd = -1;
		log_info("no exchange mover here: `migbench doctor` says why");
		return 0;
	}
	ferry->boost = !(options->flags & FERRY_OPEN_NO_BOOST);
	err = watcher_start(ferry);
	if (!err)
		ferry->machine.exchange = true;
	return err;
}

static int open_parts(struct ferry *ferry, const struct ferry_options *options)
{
	int err = fork_watch();

	if (!err)
		err = open_crew(ferry, options);
	if (!err)
		err = open_engine(ferry, options->engine);
	if (!err)
		err = open_lanes(ferry);
	if (err)
		return err;
	open_maps(ferry);
	return open_exchange(ferry, options);
}

static void set_up(struct ferry *ferry, const struct ferry_options *options)
{
	ferry->machine.nr_workers = crew_nr_workers(ferry->crew);
	inflight_limit_init(&ferry->inflight_limit, ferry->machine.nr_workers);
	if (ferry->machine.exchange && ferry->boost)
		crew_boost(ferry->crew);
	ferry->machine.batched_flush = ferry->caps.batched_flush;
	ferry->machine.batched_unmap = kernel_has(KERNEL_BATCHED_UNMAP);
	ferry->machine.max_gather = MIN(ferry->engine->hold, (uint32_t)LANE_PARCELS);
	atomic_store(&ferry->gather, GATHER_START);
	exchange_modes_init(ferry);
	ferry->machine.max_chunk_bytes = options->chunk_bytes ? options->chunk_bytes : HUGE_BYTES;
	ferry->machine.stall_bound_ns =
		options->stall_bound_ns ? options->stall_bound_ns : STALL_BOUND_NS;
	pools_init(&ferry->pools, &ferry->nodes, &ferry->blocks, ferry->uffd,
		   options->pool_cap_bytes);
	ferry->prefill_bytes = options->pool_prefill_bytes;
	atomic_store(&ferry->fresh_frames, !!(options->flags & FERRY_OPEN_FRESH_FRAMES));
}

int ferry_open(struct ferry **out, const struct ferry_options *user_options)
{
	struct ferry_options options = {.size = sizeof(options)};
	struct ferry *ferry;
	int err;

	*out = NULL;
	open_error[0] = '\0';
	err = user_options ? options_copy(&options, sizeof(options), user_options) : 0;
	if (err) {
		snprintf(open_error, sizeof(open_error),
			 err == -E2BIG ? "options are of a newer version than this library"
				       : "options.size is not set");
		return err;
	}
	err = check_options(&options);
	if (err)
		return err;
	err = vault_alloc(sizeof(*ferry), (void **)&ferry);
	if (err) {
		snprintf(open_error, sizeof(open_error), "%s", strerror(-err));
		return err;
	}
	ferry->uffd = -1;
	ferry->vmstat_fd = (int)sys(SYS_openat, AT_FDCWD, "/proc/vmstat", O_RDONLY | O_CLOEXEC);
	nodes_read(&ferry->nodes);
	err = open_parts(ferry, &options);
	if (err) {
		if (!open_error[0])
			snprintf(open_error, sizeof(open_error), "%s", strerror(-err));
		ferry_close(ferry);
		return err;
	}
	set_up(ferry, &options);
	fork_add(ferry);
	if (ferry->prefill_bytes && ferry->machine.exchange)
		prefill(ferry);
	*out = ferry;
	return 0;
}

/* ---- closing ---- */

static void close_channels(struct ferry *ferry)
{
	for (unsigned int l = 0; ferry->lanes && l < ferry->nr_lanes; l++)
		for (unsigned int node = 0; node < MAX_POOL_NODES; node++)
			if (ferry->lanes[l].channels[node])
				ferry->engine->ops->channel_close(ferry->lanes[l].channels[node]);
}

/* Pools are not the child's: their address space was left out of it, and may be somebody else's. */
static void close_in_child(struct ferry *ferry)
{
	crew_forget(ferry->crew);
	sys(SYS_close, ferry->vmstat_fd);
	watcher_forget(ferry);
	vault_free(ferry->lanes, ferry->lanes_bytes);
	vault_free(ferry, sizeof(*ferry));
}

void ferry_close(struct ferry *ferry)
{
	if (!ferry)
		return;
	if (fork_is_parents(ferry)) {
		close_in_child(ferry);
		return;
	}
	fork_remove(ferry);
	/* The engine before the pools: a device may still write frames it was given. */
	close_channels(ferry);
	engine_close(ferry->engine);
	crew_close(ferry->crew);
	watcher_stop(ferry);
	pools_close(&ferry->pools);
	if (ferry->uffd >= 0)
		sys(SYS_close, ferry->uffd);
	sys(SYS_close, ferry->vmstat_fd);
	vault_free(ferry->lanes, ferry->lanes_bytes);
	vault_free(ferry, sizeof(*ferry));
}
