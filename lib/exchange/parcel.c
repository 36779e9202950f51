// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A parcel's way. Step 2 takes its pages out of their mapping into a slot of the source node's
 * pool, step 3 copies them into frames of the target node's pool, step 4 (put_in.c) puts the frames
 * in, and step 5 gives slot and frames back. docs/architecture.md says what this promises.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/vault.h"
#include "copy/kernels.h"
#include "lib/core/context.h"
#include "lib/core/job.h"
#include "lib/exchange/move_gate.h"
#include "lib/exchange/put_in.h"
#include "lib/exchange/watcher.h"
#include "lib/nodes/pagemap.h"
#include "lib/uffd/uffd.h"

/* The largest item of an engine's batch. */
#define ITEM_BYTES (64U << 10)

/*
 * How often a take-out is retried. EAGAIN means that an event waits to be read, which the watcher
 * does in microseconds.
 */
#define TAKE_OUT_TRIES 1000

/* ---- step 2: take out ---- */

/*
 * Is all of the parcel registered with the context's userfaultfd? It was when the window was
 * registered. To register memory once more changes nothing where it is ours, and fails with EBUSY
 * where another userfaultfd watches it. 0 or -errno.
 */
static int parcel_prove_ours(struct lane *lane, const struct parcel *parcel)
{
	size_t len = (size_t)parcel->nr_pages * PAGE_BYTES;

	if (!changes_overlap(&lane->ferry->watcher->changes, parcel->at, parcel->at + len))
		return 0;
	return uffd_register(lane->ferry->uffd, parcel->at, len);
}

/*
 * Is the parcel still registered? MOVE takes pages out of any mapping, but only where it is
 * registered do threads that touch them wait. The program may have mapped other memory here since
 * the window was registered. So this offers the zero page to a page that is present: EEXIST means
 * that the place is registered. From then on an unmapping has an event, which must be read before
 * other memory can be mapped here, and MOVE answers EAGAIN until then.
 *
 * A page that is not present may be in flight: mremap(2) has carried it here since the scan. It
 * must not get a zero page. Where it is present, it can only go with an event, and then the zero
 * page is refused with EAGAIN.
 */
static bool parcel_is_watched(struct lane *lane, const struct parcel *parcel)
{
	for (unsigned int tries = 0; tries < TAKE_OUT_TRIES && !parcel->disturbed; tries++) {
		struct page_kinds kinds;
		int err;

		if (pagemap_kinds(parcel->at, 1, &kinds) || map_test(&kinds.absent, 0))
			return false;
		err = uffd_zero_page(lane->ferry->uffd, parcel->at);
		if (err != -EAGAIN)
			return !err || err == -EEXIST;
		move_gate_step_outside(lane, tries);
	}
	return false;
}

/*
 * Moves pages into the slot until the kernel refuses one. True if the slot holds all of them,
 * without holes.
 */
static bool parcel_take_out(struct lane *lane, struct parcel *parcel)
{
	size_t len = (size_t)parcel->nr_pages * PAGE_BYTES;
	size_t done = 0, moved;
	unsigned int tries = 0;
	bool holes = false;

	/* Once a parcel is disturbed, other memory may be mapped at the addresses to come. */
	while (done < len && tries < TAKE_OUT_TRIES && !parcel->disturbed) {
		int err = uffd_move(lane->ferry->uffd, parcel->slot.addr + done, parcel->at + done,
				    len - done, holes, &moved);

		done += moved;
		if (err == -EAGAIN && !moved)
			move_gate_step_outside(lane, tries++);
		else if (err == -ENOENT && !holes)
			holes = true;
		else if (err && err != -EAGAIN)
			break;
	}
	return done == len && !holes;
}

static void parcel_clear_maps(struct parcel *parcel)
{
	memset(&parcel->taken, 0, sizeof(parcel->taken));
	memset(&parcel->back, 0, sizeof(parcel->back));
	memset(&parcel->arrived, 0, sizeof(parcel->arrived));
	memset(&parcel->stray, 0, sizeof(parcel->stray));
	parcel->came_apart = false;
	parcel->recheck = false;
}

/*
 * Finds out which pages are in the slot. Only the slot itself tells: the scan is older, and on a
 * large folio MOVE can move pages and answer EEXIST with none moved. True if anything is in flight.
 */
static bool parcel_inspect_slot(struct parcel *parcel, bool all_taken)
{
	struct page_kinds kinds;

	parcel_clear_maps(parcel);
	if (all_taken && (!parcel->huge || pagemap_is_huge(parcel->slot.addr))) {
		map_set_range(&parcel->taken, 0, parcel->nr_pages);
		return true;
	}
	if (pagemap_kinds(parcel->slot.addr, parcel->nr_pages, &kinds)) {
		/* Unknown: send every page back from the slot. Put-in passes over holes. */
		map_set_range(&parcel->back, 0, parcel->nr_pages);
		parcel->recheck = true;
		return true;
	}
	/* A huge page that came out as small ones must not get a huge frame. */
	parcel->came_apart = parcel->huge && !kinds.huge;
	parcel->recheck = parcel->came_apart;
	for (unsigned int i = 0; i < PAGE_MAP_WORDS; i++) {
		if (!parcel->came_apart)
			parcel->taken.word[i] = kinds.movable.word[i];
		parcel->back.word[i] = ~kinds.absent.word[i] & ~parcel->taken.word[i];
	}
	map_clear_range(&parcel->back, parcel->nr_pages, PAGES_PER_HUGE - parcel->nr_pages);
	return map_count(&parcel->taken) || map_count(&parcel->back);
}

/* ---- step 3: copy ---- */

static void parcel_add_items(struct parcel *parcel, unsigned int first, unsigned int nr_pages)
{
	struct engine_batch *batch = &parcel->batch;
	size_t offset = (size_t)first * PAGE_BYTES;
	size_t end = offset + (size_t)nr_pages * PAGE_BYTES;

	while (offset < end) {
		uint32_t len = (uint32_t)MIN(end - offset, (size_t)ITEM_BYTES);

		batch->items[batch->nr_items++] = (struct engine_item){
			.dst = (void *)(parcel->frames.addr + offset),
			.src = (const void *)(parcel->slot.addr + offset),
			.len_bytes = len,
		};
		batch->bytes += len;
		offset += len;
	}
}

/*
 * Submits the taken pages to the engine. If the engine is BUSY, every item stays NOT_ATTEMPTED, and
 * the CPU copies instead of waiting.
 */
static enum parcel_outcome parcel_submit(struct lane *lane, struct parcel *parcel)
{
	const struct engine_ops *ops = lane->channel->engine->ops;

	parcel->batch.items = parcel->items;
	parcel->batch.nr_items = 0;
	parcel->batch.bytes = 0;
	parcel->batch.owner = parcel;
	parcel->batch.nr_threads = lane->job->split.nr_copiers;
	parcel->batch.more = lane->job->split.gather > 1;
	parcel->batch.folio_bytes = parcel->huge ? HUGE_BYTES : PAGE_BYTES;
	parcel->batch.other_node = parcel->source->node != parcel->target->node;
	parcel->channel = lane->channel;
	for (unsigned int at = 0; at < parcel->nr_pages;) {
		unsigned int start = map_next(&parcel->taken, at, parcel->nr_pages, true);
		unsigned int end = map_next(&parcel->taken, start, parcel->nr_pages, false);

		if (start < end)
			parcel_add_items(parcel, start, end - start);
		at = end;
	}
	if (!parcel->batch.nr_items)
		return PARCEL_READY;
	return ops->submit(lane->channel, &parcel->batch) == ENGINE_QUEUED ? PARCEL_QUEUED
									   : PARCEL_READY;
}

/* A hung device may still write the item's frames. Its pages go back from the slot. */
static void parcel_set_stray(struct parcel *parcel, const struct engine_item *item)
{
	uintptr_t offset = (uintptr_t)item->src - parcel->slot.addr;
	unsigned int first = (unsigned int)(offset / PAGE_BYTES);
	unsigned int nr = DIV_ROUND_UP(item->len_bytes, (uint32_t)PAGE_BYTES);

	/* A huge frame is in doubt as a whole. */
	if (parcel->huge) {
		first = 0;
		nr = PAGES_PER_HUGE;
	}
	map_set_range(&parcel->stray, first, nr);
	map_clear_range(&parcel->taken, first, nr);
	map_set_range(&parcel->back, first, nr);
}

/* The CPU copies what the engine left. */
static void parcel_finish_copy(struct lane *lane, struct parcel *parcel)
{
	for (uint32_t i = 0; i < parcel->batch.nr_items; i++) {
		struct engine_item *item = &parcel->items[i];

		if (item->state == ENGINE_COPIED) {
			lane->tally.bytes_by_engine += item->len_bytes;
			continue;
		}
		if (item->state == ENGINE_STRAY) {
			parcel_set_stray(parcel, item);
			continue;
		}
		lane->ferry->cpu_copy->copy(item->dst, item->src, item->len_bytes);
		lane->tally.bytes_by_cpu += item->len_bytes;
		lane->tally.pages_by_reason[FERRY_REASON_ENGINE] +=
			DIV_ROUND_UP(item->len_bytes, (uint32_t)PAGE_BYTES);
	}
}

/* ---- step 5: spans go back to their pools ---- */

/*
 * Which pages of a span hold a frame. That is `known` if the parcel took the usual way. Otherwise
 * this looks it up; if it can't, or finds something else, the bay is not used again before its
 * extent has been emptied.
 */
static struct page_map parcel_span_frames(const struct parcel *parcel, struct pool *pool,
					  const struct span *span, const struct page_map *known)
{
	struct page_kinds kinds;
	unsigned int nr_there;

	if (!parcel->recheck)
		return *known;
	if (pagemap_kinds(span->addr, span->nr_pages, &kinds)) {
		pool_distrust(pool, span);
		return *known;
	}
	nr_there = span->nr_pages - map_count(&kinds.absent);
	/* Small pages of a huge page leave a page table where a huge frame must go. */
	if (nr_there != map_count(&kinds.movable) || (parcel->huge && nr_there && !kinds.huge) ||
	    (parcel->huge && parcel->came_apart))
		pool_distrust(pool, span);
	return kinds.movable;
}

static void parcel_return_slot(struct lane *lane, struct parcel *parcel)
{
	struct page_map frames =
		parcel_span_frames(parcel, parcel->source, &parcel->slot, &parcel->taken);

	/* A socket or a pipe may still reference these frames: free them instead of reusing them.
	 */
	if (atomic_load_explicit(&lane->ferry->fresh_frames, memory_order_relaxed) &&
	    map_count(&frames)) {
		sys(SYS_madvise, parcel->slot.addr, (size_t)parcel->slot.nr_pages * PAGE_BYTES,
		    MADV_DONTNEED);
		memset(&frames, 0, sizeof(frames));
	}
	pool_put(parcel->source, &parcel->slot, &frames, lane->job->stamp);
}

static void parcel_return_frames(struct lane *lane, struct parcel *parcel)
{
	struct page_map left = {0};

	map_set_range(&left, 0, parcel->frames.nr_pages);
	for (unsigned int i = 0; i < PAGE_MAP_WORDS; i++)
		left.word[i] &= ~parcel->arrived.word[i];
	left = parcel_span_frames(parcel, parcel->target, &parcel->frames, &left);
	pool_put(parcel->target, &parcel->frames, &left, lane->job->stamp);
}

/* ---- the whole way ---- */

/* 0, or -EAGAIN: a pool has to grow. */
static int parcel_take_spans(struct lane *lane, struct parcel *parcel, unsigned int nr_pages)
{
	int err = pool_take_frames(parcel->target, nr_pages, lane->job->stamp, &parcel->frames);

	if (err)
		return err;
	err = pool_take_slot(parcel->source, nr_pages, &parcel->slot);
	if (!err)
		return 0;
	parcel_clear_maps(parcel);
	parcel_return_frames(lane, parcel);
	return err;
}

/*
 * How long a lane waits for a fork before it leaves its pages to the kernel mover. Most forks end
 * sooner. One may never come, or may wait for a thread that waits for this job. Increasing this
 * exchanges more pages beside forks; decreasing it holds up such threads for less time.
 */
#define FORK_PATIENCE_NS (10 * NS_PER_MS)

/* False: a fork takes long. */
static bool lane_enter_flight(struct lane *lane)
{
	inflight_limit_enter(&lane->ferry->inflight_limit);
	if (gate_enter_within(&lane->ferry->in_flight_gate, lane->door, FORK_PATIENCE_NS))
		return true;
	inflight_limit_leave(&lane->ferry->inflight_limit);
	return false;
}

static void lane_leave_flight(struct lane *lane)
{
	gate_leave(&lane->ferry->in_flight_gate, lane->door);
	inflight_limit_leave(&lane->ferry->inflight_limit);
}

static void parcel_return_untouched(struct lane *lane, struct parcel *parcel)
{
	parcel_return_slot(lane, parcel);
	parcel_return_frames(lane, parcel);
}

/* Not live yet, so the watcher does not look at it. */
static void parcel_set(struct parcel *parcel, uintptr_t at, unsigned int nr_pages)
{
	parcel->at = at;
	parcel->nr_pages = nr_pages;
	parcel_clear_maps(parcel);
}

/* From here on the watcher sees the parcel. Called inside `move_gate`. */
static void parcel_go_live(struct lane *lane, struct parcel *parcel)
{
	parcel->disturbed = false;
	memset(&parcel->dropped, 0, sizeof(parcel->dropped));
	parcel->live = true;
	lane->nr_live++;
	parcel->taken_out_ns = now_ns();
}

/*
 * PARCEL_READY: the pages may be taken out. Otherwise the program has unmapped or discarded some of
 * them since the window was registered, and may watch what it has mapped instead. Proof comes
 * first, because where another userfaultfd watches, a zero page would take a fault from it. A pool
 * may have been mapped there meanwhile. Pools are registered, too, but after the vault knows them.
 */
static enum parcel_outcome parcel_check(struct lane *lane, const struct parcel *parcel)
{
	struct watcher *watcher = lane->ferry->watcher;
	size_t len = (size_t)parcel->nr_pages * PAGE_BYTES;
	int err = parcel_prove_ours(lane, parcel);

	if (err)
		return err == -EBUSY ? PARCEL_FOREIGN : PARCEL_CHANGED;
	if (!parcel_is_watched(lane, parcel)) {
		changes_note(&watcher->changes, parcel->at, parcel->at + len);
		return PARCEL_CHANGED;
	}
	if (vault_overlaps((void *)parcel->at, len) ||
	    discards_overlap(&watcher->discards, parcel->at, len))
		return PARCEL_CHANGED;
	return PARCEL_READY;
}

/* Do exiting threads need some of the pages? Threads that start later make parcel->look differ. */
static bool parcel_is_of_threads(struct lane *lane, struct parcel *parcel)
{
	struct page_map of_threads = {0};

	threads_update(lane->ferry->threads, &parcel->look);
	return threads_need(lane->ferry->threads, parcel->at, parcel->nr_pages, &of_threads);
}

/* Nothing was taken out. A thread may have faulted on the pages meanwhile. */
static void parcel_abandon(struct lane *lane, struct parcel *parcel)
{
	if (!lane->nr_in_flight)
		lane_leave_flight(lane);
	uffd_wake(lane->ferry->uffd, parcel->at, (size_t)parcel->nr_pages * PAGE_BYTES);
	parcel_return_untouched(lane, parcel);
}

enum parcel_outcome parcel_start(struct lane *lane, struct parcel *parcel, uintptr_t at,
				 unsigned int nr_pages)
{
	enum parcel_outcome outcome;
	bool all_taken;

	if (parcel_take_spans(lane, parcel, nr_pages))
		return PARCEL_LATER;
	parcel_set(parcel, at, nr_pages);
	if (!lane->nr_in_flight && !lane_enter_flight(lane)) {
		parcel_return_untouched(lane, parcel);
		return PARCEL_FORKING;
	}
	if (parcel_is_of_threads(lane, parcel)) {
		parcel_abandon(lane, parcel);
		return PARCEL_THREAD;
	}
	move_gate_enter(lane);
	parcel_go_live(lane, parcel);
	outcome = parcel_check(lane, parcel);
	all_taken = outcome == PARCEL_READY && parcel_take_out(lane, parcel);
	parcel->live = parcel_inspect_slot(parcel, all_taken);
	lane->nr_live -= !parcel->live;
	move_gate_leave(lane);

	if (!parcel->live) {
		parcel_abandon(lane, parcel);
		return outcome == PARCEL_READY ? PARCEL_REFUSED : outcome;
	}
	lane->nr_in_flight++;
	return parcel_submit(lane, parcel);
}

/* MOVE wakes the threads that wait for the pages it moves. This wakes those of other pages. */
static void parcel_wake_waiters(struct lane *lane, const struct parcel *parcel)
{
	uffd_wake(lane->ferry->uffd, parcel->at, (size_t)parcel->nr_pages * PAGE_BYTES);
	for (unsigned int i = 0; parcel->disturbed && i < parcel->nr_pages; i++)
		if (parcel->home[i] != parcel->at + (uintptr_t)i * PAGE_BYTES)
			uffd_wake(lane->ferry->uffd, parcel->home[i], PAGE_BYTES);
}

bool parcel_finish(struct lane *lane, struct parcel *parcel)
{
	bool disturbed;

	parcel_finish_copy(lane, parcel);
	move_gate_enter(lane);
	parcel_put_in(lane, parcel);
	parcel->live = false;
	lane->nr_live--;
	disturbed = parcel->disturbed;
	move_gate_leave(lane);
	if (disturbed || map_count(&parcel->arrived) != parcel->nr_pages)
		parcel_wake_waiters(lane, parcel);
	parcel->stall_ns = now_ns() - parcel->taken_out_ns;
	if (!--lane->nr_in_flight)
		lane_leave_flight(lane);

	lane->tally.nr_chunks++;
	lane->tally.max_stall_ns = MAX(lane->tally.max_stall_ns, parcel->stall_ns);
	parcel_return_slot(lane, parcel);
	if (map_count(&parcel->stray))
		return false;
	parcel_return_frames(lane, parcel);
	return true;
}

void parcel_release(struct lane *lane, struct parcel *parcel)
{
	parcel_return_frames(lane, parcel);
}
