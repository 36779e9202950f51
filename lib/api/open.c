// SPDX-License-Identifier: LGPL-2.1-or-later
/* ferry_open and ferry_close: put a context together from its parts, and take it apart. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/thread.h"
#include "base/vault.h"
#include "copy/kernels.h"
#include "lib/api/call.h"
#include "lib/api/contexts.h"
#include "lib/api/fork.h"
#include "lib/api/frames.h"
#include "lib/api/machine_profile.h"
#include "lib/api/options.h"
#include "lib/core/context.h"
#include "lib/core/exchange_mode.h"
#include "lib/exchange/exchange.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/mthp.h"
#include "lib/nodes/pagemap.h"

/*
 * How many chunks a lane of the first job has in flight at once, before it is known how long they
 * take. Increasing this makes the first job faster, but may keep its pages in flight for longer
 * than the stall bound; decreasing it does the reverse.
 */
#define GATHER_START 8

/*
 * The stall bound of callers who set none. Increasing it makes moves faster, because more chunks
 * are in flight together; decreasing it lets threads wait less for pages in flight.
 */
#define STALL_BOUND_NS (1 * NS_PER_MS)

static __thread char open_error[1024];

const char *ferry_open_error(void)
{
	return open_error;
}

/* ---- opening ---- */

static bool is_chunk_size(uint64_t bytes)
{
	return bytes >= PAGE_BYTES && bytes <= HUGE_BYTES && !(bytes & (bytes - 1));
}

static int options_check(const struct ferry_options *options)
{
	const char *what = NULL;

	if (options->flags &
	    ~(FERRY_OPEN_FRESH_FRAMES | FERRY_OPEN_KERNEL_ONLY | FERRY_OPEN_NO_BOOST))
		what = "flags has a bit that this library does not know";
	else if (options->chunk_bytes && !is_chunk_size(options->chunk_bytes))
		what = "chunk_bytes must be a power of two from 4 KiB to 2 MiB";
	else if (options->nr_workers > MAX_WORKERS)
		what = "nr_workers must be at most 63";
	if (!what)
		return 0;
	snprintf(open_error, sizeof(open_error), "%s", what);
	return -EINVAL;
}

static int context_open_crew(struct ferry *ferry, const struct ferry_options *options)
{
	struct placement *placement;
	int err = placement_open(options->synthetic, &placement);

	if (!err) {
		err = crew_open(placement, options->nr_workers, &ferry->crew);
		placement_close(placement);
	}
	if (err)
		snprintf(open_error, sizeof(open_error), "workers: %s", strerror(-err));
	return err;
}

static int context_open_engine(struct ferry *ferry, const char *spec)
{
	struct engine_env env = {.crew = ferry->crew};

	ferry->cpu_copy = copy_kernel_best(64 << 10, 1);
	return engine_open(spec, &env, &ferry->engine, open_error, sizeof(open_error));
}

static int context_open_lanes(struct ferry *ferry)
{
	void *lanes;
	int err;

	ferry->nr_lanes = crew_nr_workers(ferry->crew) + 1;
	ferry->lanes_bytes = ferry->nr_lanes * sizeof(struct lane);
	err = vault_alloc_lazy(ferry->lanes_bytes, &lanes);
	if (err)
		return err;
	ferry->lanes = lanes;
	for (unsigned int l = 0; l < ferry->nr_lanes; l++) {
		ferry->lanes[l].ferry = ferry;
		ferry->lanes[l].door = l;
	}
	return 0;
}

/*
 * Opens the files that say what is mapped where. Without the pagemap there is no exchange mover;
 * without frame numbers, the kernel is asked for the node of each page.
 */
static void context_open_maps(struct ferry *ferry)
{
	if (pagemap_open() || mappings_open())
		return;
	mthp_open();
	if (ferry->nodes.nr_memory == 1)
		return;
	memory_blocks_read(&ferry->blocks, &ferry->nodes, BLOCKS_ROOT);
	if (ferry->blocks.nr_runs && memory_blocks_find_zero(&ferry->blocks))
		log_info("page frame numbers cannot be used: the kernel is asked for the "
			 "node of each page, which takes longer");
}

static int context_open_uffd(struct ferry *ferry)
{
	int fd, err = uffd_open(&fd, &ferry->caps);

	ferry->uffd_keeper.here.fd = uffd_keeper_number();
	if (!err)
		err = own_fd_take(&ferry->uffd_keeper.here, fd);
	if (err)
		ferry->uffd_keeper.here = OWN_FD_NONE;
	ferry->uffd = ferry->uffd_keeper.here.fd;
	return err;
}

/* No failure if there is no exchange mover: the kernel mover then moves all pages. */
static int context_open_exchange(struct ferry *ferry, const struct ferry_options *options)
{
	int err;

	if (options->flags & FERRY_OPEN_KERNEL_ONLY)
		return 0;
	if (pagemap_own() < 0 || threads_open(&ferry->threads) || context_open_uffd(ferry)) {
		log_info("no exchange mover: `migbench doctor` says why");
		return 0;
	}
	ferry->boost = !(options->flags & FERRY_OPEN_NO_BOOST);
	err = watcher_start(ferry);
	if (!err)
		ferry->machine.exchange = true;
	return err;
}

static int context_open_parts(struct ferry *ferry, const struct ferry_options *options)
{
	int err = fork_watch();

	if (!err)
		err = context_open_crew(ferry, options);
	if (!err)
		err = context_open_engine(ferry, options->engine);
	if (!err)
		err = context_open_lanes(ferry);
	if (err)
		return err;
	context_open_maps(ferry);
	return context_open_exchange(ferry, options);
}

/*
 * Without a profile the defaults of the rules hold. The result of the search is not on the stack:
 * the calling thread may have the smallest one.
 */
static void context_read_profile(struct ferry *ferry)
{
	struct profile_found *found;

	if (vault_alloc(sizeof(*found), (void **)&found))
		return;
	machine_profile_find(found);
	if (found->refused)
		log_warn("%s", found->note);
	else
		log_info("%s", found->note);
	if (found->found && profile_is_measured(&found->profile))
		cost_model_init(ferry, &found->profile);
	vault_free(found, sizeof(*found));
}

static void context_set_up(struct ferry *ferry, const struct ferry_options *options)
{
	ferry->machine.nr_workers = crew_nr_workers(ferry->crew);
	inflight_limit_init(&ferry->inflight_limit, ferry->machine.nr_workers);
	if (ferry->machine.exchange && ferry->boost)
		crew_boost(ferry->crew);
	ferry->machine.batched_flush = ferry->caps.batched_flush;
	ferry->machine.batched_unmap = kernel_has(KERNEL_BATCHED_UNMAP);
	ferry->machine.max_gather = MIN(ferry->engine->hold, (uint32_t)LANE_PARCELS);
	atomic_store(&ferry->gather, GATHER_START);
	exchange_mode_init(ferry);
	ferry->machine.max_chunk_bytes = options->chunk_bytes ? options->chunk_bytes : HUGE_BYTES;
	ferry->machine.stall_bound_ns =
		options->stall_bound_ns ? options->stall_bound_ns : STALL_BOUND_NS;
	pools_init(&ferry->pools, &ferry->nodes, &ferry->blocks, ferry->uffd,
		   options->pool_cap_bytes, options->pool_prefill_bytes);
	atomic_store(&ferry->fresh_frames, !!(options->flags & FERRY_OPEN_FRESH_FRAMES));
}

static int context_copy_options(struct ferry_options *options, const struct ferry_options *user)
{
	int err = user ? options_copy(options, sizeof(*options), user) : 0;

	if (!err)
		return options_check(options);
	snprintf(open_error, sizeof(open_error),
		 err == -E2BIG ? "options are of a newer version than this library"
			       : "options.size is not set");
	return err;
}

/* The library is built for one size of pages. Kernels for aarch64 may have 16 or 64 KiB. */
static int machine_check(void)
{
	int page_bytes = getpagesize();

	if (page_bytes == (int)PAGE_BYTES)
		return 0;
	snprintf(open_error, sizeof(open_error),
		 "the kernel's pages have %d bytes; this library is for pages of %lu", page_bytes,
		 PAGE_BYTES);
	return -EOPNOTSUPP;
}

/* On failure, too, *out may be a context, which is to be closed. */
static int context_new(struct ferry **out, const struct ferry_options *options)
{
	struct ferry *ferry;
	int err = vault_alloc(sizeof(*ferry), (void **)&ferry);

	if (err)
		return err;
	ferry->uffd = -1;
	ferry->prefill_bytes = options->pool_prefill_bytes;
	ferry->vmstat = KERNEL_FILE_NONE;
	ferry->uffd_keeper.here = OWN_FD_NONE;
	contexts_keep_files(ferry);
	nodes_read(&ferry->nodes);
	*out = ferry;
	return context_open_parts(ferry, options);
}

static int context_open(struct ferry **out, const struct ferry_options *options)
{
	struct ferry *ferry = NULL;
	int err = context_new(&ferry, options);

	if (err) {
		ferry_close(ferry);
		return err;
	}
	context_set_up(ferry, options);
	context_read_profile(ferry);
	contexts_add(ferry);
	if (ferry->prefill_bytes && ferry->machine.exchange)
		frames_prefill(ferry);
	*out = ferry;
	return 0;
}

/*
 * What opening a context takes at most, most of it hwloc. Decreasing this may overflow a stack;
 * increasing it makes more threads open their context in another thread.
 */
#define OPENING_STACK_BYTES (128UL << 10)

/* True if the caller is a thread with a small stack, or runs on a stack of the program's making. */
static bool stack_is_small(void)
{
	pthread_attr_t attr;
	uintptr_t here = (uintptr_t)&attr;
	size_t len_bytes;
	void *low;
	int err;

	if (sys(SYS_gettid) == sys(SYS_getpid) || pthread_getattr_np(pthread_self(), &attr))
		return false;
	err = pthread_attr_getstack(&attr, &low, &len_bytes);
	pthread_attr_destroy(&attr);
	return !err && here - (uintptr_t)low - OPENING_STACK_BYTES > len_bytes;
}

struct opening {
	const struct ferry_options *options;
	struct ferry *ferry;
	char *error; /* of the caller: each thread has its own */
	int err;
};

static void *opening_run(void *arg)
{
	struct opening *opening = arg;

	open_error[0] = '\0';
	opening->err = context_open(&opening->ferry, opening->options);
	memcpy(opening->error, open_error, sizeof(open_error));
	return NULL;
}

static int context_open_in_thread(struct ferry **out, const struct ferry_options *options)
{
	struct opening opening = {.options = options, .error = open_error};
	struct thread thread = {0};
	int err = thread_start(&thread, opening_run, &opening);

	if (err) {
		snprintf(open_error, sizeof(open_error), "workers: %s", strerror(-err));
		return err;
	}
	thread_join(&thread);
	*out = opening.ferry;
	return opening.err;
}

int ferry_open(struct ferry **out, const struct ferry_options *user_options)
{
	struct ferry_options options = {.size = sizeof(options)};
	int err;

	*out = NULL;
	open_error[0] = '\0';
	err = machine_check();
	if (!err)
		err = context_copy_options(&options, user_options);
	if (!err) {
		uint64_t signals = call_block_signals();

		err = stack_is_small() ? context_open_in_thread(out, &options)
				       : context_open(out, &options);
		call_unblock_signals(signals);
	}
	if (err && !open_error[0])
		snprintf(open_error, sizeof(open_error), "%s", strerror(-err));
	return err;
}

/* ---- closing ---- */

static void context_close_channels(struct ferry *ferry)
{
	for (unsigned int l = 0; ferry->lanes && l < ferry->nr_lanes; l++)
		for (unsigned int node = 0; node < MAX_POOL_NODES; node++)
			if (ferry->lanes[l].channels[node])
				ferry->engine->ops->channel_close(ferry->lanes[l].channels[node]);
}

/*
 * Leaves the pools alone: the child was created without their address space, and may have other
 * mappings there.
 */
static void context_close_copy(struct ferry *ferry)
{
	crew_forget(ferry->crew);
	kernel_file_close(&ferry->vmstat);
	threads_close(ferry->threads);
	watcher_forget(ferry);
	vault_free_lazy(ferry->lanes, ferry->lanes_bytes);
	vault_free(ferry, sizeof(*ferry));
}

static void context_close(struct ferry *ferry)
{
	contexts_remove(ferry);
	/* The engine goes before the pools: a device may still write to their frames. */
	context_close_channels(ferry);
	engine_close(ferry->engine);
	crew_close(ferry->crew);
	watcher_stop(ferry);
	threads_close(ferry->threads);
	pools_close(&ferry->pools);
	own_fd_drop(&ferry->uffd_keeper.here);
	kernel_file_close(&ferry->vmstat);
	vault_free_lazy(ferry->lanes, ferry->lanes_bytes);
	vault_free(ferry, sizeof(*ferry));
}

void ferry_close(struct ferry *ferry)
{
	uint64_t signals;

	if (!ferry)
		return;
	signals = call_block_signals();
	if (fork_is_copy(ferry))
		context_close_copy(ferry);
	else
		context_close(ferry);
	call_unblock_signals(signals);
}
