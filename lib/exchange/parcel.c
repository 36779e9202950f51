// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/wait.h"
#include "copy/kernels.h"
#include "lib/exchange/watcher.h"
#include "lib/core/context.h"
#include "lib/core/job.h"
#include "lib/nodes/pagemap.h"
#include "lib/exchange/put_in.h"
#include "lib/uffd/uffd.h"

/* What an engine is given as one piece. */
#define ITEM_BYTES (64U << 10)

/* EAGAIN means that an event waits to be read; the watcher does that in microseconds. */
#define TAKE_OUT_TRIES 1000

static void enter(struct lane *lane)
{
	gate_enter(&lane->ferry->moves, lane->door);
}

static void leave(struct lane *lane)
{
	gate_leave(&lane->ferry->moves, lane->door);
}

/* ---- step 2: take out ---- */

/*
 * MOVE takes pages out of any memory, but only where it is registered will those wait who touch
 * them. Something else may have been mapped here since the run was registered, so that is asked by
 * offering the zero page to a page that is there. From then on an UNMAP event, which makes MOVE
 * answer EAGAIN, comes before any other mapping.
 */
static bool is_watched(struct lane *lane, uintptr_t at)
{
	for (unsigned int tries = 0; tries < TAKE_OUT_TRIES; tries++) {
		int err = uffd_zero_page(lane->ferry->uffd, at);

		if (err != -EAGAIN)
			return !err || err == -EEXIST;
		leave(lane);
		step_aside(tries);
		enter(lane);
	}
	return false;
}

/*
 * Moves pages into the slot until the kernel refuses one. True if all of them are out, without
 * holes among them.
 */
static bool take_out(struct lane *lane, struct parcel *parcel)
{
	size_t len = (size_t)parcel->nr_pages * PAGE_BYTES;
	size_t done = 0, moved;
	bool holes = false;

	/* A disturbed parcel: behind this page something else may be mapped by now. */
	for (unsigned int tries = 0; done < len && tries < TAKE_OUT_TRIES && !parcel->disturbed;) {
		int err = uffd_move(lane->ferry->uffd, parcel->slot.addr + done, parcel->at + done,
				    len - done, holes, &moved);

		done += moved;
		if (err && err != -EAGAIN && (err != -ENOENT || holes))
			break;
		holes |= err == -ENOENT;
		if (err == -EAGAIN && !moved) {
			/* Outside the gate, or the watcher never gets to read the event. */
			leave(lane);
			step_aside(tries++);
			enter(lane);
		}
	}
	return done == len && !holes;
}

/*
 * Finds out what is in the slot. That counts, not what was seen before, nor what MOVE said: where
 * it comes upon a large folio it may have moved pages and answer EEXIST and none. True if anything
 * is out.
 */
static bool inspect(struct parcel *parcel, bool all_out)
{
	struct page_kinds kinds;

	memset(&parcel->taken, 0, sizeof(parcel->taken));
	memset(&parcel->back, 0, sizeof(parcel->back));
	memset(&parcel->arrived, 0, sizeof(parcel->arrived));
	memset(&parcel->stray, 0, sizeof(parcel->stray));
	parcel->came_apart = false;
	parcel->recheck = false;
	if (all_out && (!parcel->huge || pagemap_is_huge(parcel->slot.addr))) {
		map_set_range(&parcel->taken, 0, parcel->nr_pages);
		return true;
	}
	if (pagemap_kinds(parcel->slot.addr, parcel->nr_pages, &kinds)) {
		/* Unknown: everything goes back from the slot, holes are passed over. */
		map_set_range(&parcel->back, 0, parcel->nr_pages);
		parcel->recheck = true;
		return true;
	}
	/* A huge page that came out in small ones does not belong into a huge frame. */
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

static void add_items(struct parcel *parcel, unsigned int first, unsigned int nr_pages)
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

/* BUSY leaves every item NOT_ATTEMPTED: the CPU copies then, there is no waiting. */
static enum parcel_start hand_over(struct lane *lane, struct parcel *parcel)
{
	const struct engine_ops *ops = lane->channel->engine->ops;

	parcel->batch.items = parcel->items;
	parcel->batch.nr_items = 0;
	parcel->batch.bytes = 0;
	parcel->batch.owner = parcel;
	parcel->batch.nr_threads = lane->job->split.nr_copiers;
	parcel->batch.more = lane->job->split.gather > 1;
	parcel->channel = lane->channel;
	for (unsigned int at = 0; at < parcel->nr_pages;) {
		unsigned int start = map_next(&parcel->taken, at, parcel->nr_pages, true);
		unsigned int end = map_next(&parcel->taken, start, parcel->nr_pages, false);

		if (start < end)
			add_items(parcel, start, end - start);
		at = end;
	}
	if (!parcel->batch.nr_items)
		return PARCEL_READY;
	return ops->submit(lane->channel, &parcel->batch) == ENGINE_QUEUED ? PARCEL_QUEUED
									   : PARCEL_READY;
}

/* The pages under an item that must not use their frames go back from the slot. */
static void set_stray(struct parcel *parcel, const struct engine_item *item)
{
	uintptr_t offset = (uintptr_t)item->src - parcel->slot.addr;
	unsigned int first = (unsigned int)(offset / PAGE_BYTES);
	unsigned int nr = DIV_ROUND_UP(item->len_bytes, (uint32_t)PAGE_BYTES);

	/* A huge frame is one: all of it is in doubt. */
	if (parcel->huge) {
		first = 0;
		nr = PAGES_PER_HUGE;
	}
	map_set_range(&parcel->stray, first, nr);
	map_clear_range(&parcel->taken, first, nr);
	map_set_range(&parcel->back, first, nr);
}

static void finish_copy(struct lane *lane, struct parcel *parcel)
{
	for (uint32_t i = 0; i < parcel->batch.nr_items; i++) {
		struct engine_item *item = &parcel->items[i];

		if (item->state == ENGINE_COPIED) {
			lane->tally.bytes_by_engine += item->len_bytes;
			continue;
		}
		if (item->state == ENGINE_STRAY) {
			set_stray(parcel, item);
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
 * Which of a span's pages hold a frame now. Where everything went the plain way that is known; else
 * it is looked up, and where it can't be, or something else is there, the bay is not used again
 * before it has been emptied.
 */
static struct page_map holds(struct parcel *parcel, struct pool *pool, const struct span *span,
			     const struct page_map *known)
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
	/* Pieces of a huge page leave page tables behind where huge frames must go. */
	if (nr_there != map_count(&kinds.movable) || (parcel->huge && nr_there && !kinds.huge) ||
	    (parcel->huge && parcel->came_apart))
		pool_distrust(pool, span);
	return kinds.movable;
}

static void return_slot(struct lane *lane, struct parcel *parcel)
{
	struct page_map frames = holds(parcel, parcel->source, &parcel->slot, &parcel->taken);

	/* Somebody may still read these frames by reference: they must not be written again. */
	if (atomic_load_explicit(&lane->ferry->fresh_frames, memory_order_relaxed) &&
	    map_count(&frames)) {
		sys(SYS_madvise, parcel->slot.addr, (size_t)parcel->slot.nr_pages * PAGE_BYTES,
		    MADV_DONTNEED);
		memset(&frames, 0, sizeof(frames));
	}
	pool_put(parcel->source, &parcel->slot, &frames, lane->job->stamp);
}

static void return_frames(struct lane *lane, struct parcel *parcel)
{
	struct page_map left = {0};

	map_set_range(&left, 0, parcel->frames.nr_pages);
	for (unsigned int i = 0; i < PAGE_MAP_WORDS; i++)
		left.word[i] &= ~parcel->arrived.word[i];
	left = holds(parcel, parcel->target, &parcel->frames, &left);
	pool_put(parcel->target, &parcel->frames, &left, lane->job->stamp);
}

/* ---- the whole ---- */

/* Pools don't grow while pages are out: whoever waits for those would wait for that, too. */
static int take_spans(struct lane *lane, struct parcel *parcel, unsigned int nr_pages)
{
	int err = pool_take_frames(parcel->target, nr_pages, lane->job->stamp, !lane->nr_out,
				   &parcel->frames, &lane->tally.nr_frames_made);

	if (err)
		return err;
	err = pool_take_slot(parcel->source, nr_pages, !lane->nr_out, &parcel->slot);
	if (!err)
		return 0;
	memset(&parcel->arrived, 0, sizeof(parcel->arrived));
	parcel->recheck = false;
	return_frames(lane, parcel);
	return err;
}

static void nothing_out(struct lane *lane)
{
	gate_leave(&lane->ferry->outs, lane->door);
	inflight_limit_leave(&lane->ferry->inflight_limit);
}

enum parcel_start parcel_start(struct lane *lane, struct parcel *parcel, uintptr_t at,
			       unsigned int nr_pages)
{
	bool changed, all_out = false;
	int err = take_spans(lane, parcel, nr_pages);

	if (err)
		return err == -EAGAIN ? PARCEL_LATER : PARCEL_NO_FRAMES;
	if (!lane->nr_out) {
		inflight_limit_enter(&lane->ferry->inflight_limit);
		gate_enter(&lane->ferry->outs, lane->door);
	}
	enter(lane);
	parcel->at = at;
	parcel->nr_pages = nr_pages;
	parcel->disturbed = false;
	memset(&parcel->dropped, 0, sizeof(parcel->dropped));
	parcel->live = true;
	lane->nr_live++;
	parcel->out_since_ns = now_ns();
	changed = !is_watched(lane, at) ||
		  watcher_sees_discard(lane->ferry, at, (size_t)nr_pages * PAGE_BYTES);
	if (!changed)
		all_out = take_out(lane, parcel);
	parcel->live = inspect(parcel, all_out);
	lane->nr_live -= !parcel->live;
	leave(lane);

	if (!parcel->live) {
		if (!lane->nr_out)
			nothing_out(lane);
		uffd_wake(lane->ferry->uffd, at, (size_t)nr_pages * PAGE_BYTES);
		return_slot(lane, parcel);
		return_frames(lane, parcel);
		return changed ? PARCEL_CHANGED : PARCEL_REFUSED;
	}
	lane->nr_out++;
	return hand_over(lane, parcel);
}

/* MOVE wakes those who wait for the pages it moves; the other pages have waiters too. */
static void wake_others(struct lane *lane, const struct parcel *parcel)
{
	uffd_wake(lane->ferry->uffd, parcel->at, (size_t)parcel->nr_pages * PAGE_BYTES);
	for (unsigned int i = 0; parcel->disturbed && i < parcel->nr_pages; i++)
		if (parcel->home[i] != parcel->at + (uintptr_t)i * PAGE_BYTES)
			uffd_wake(lane->ferry->uffd, parcel->home[i], PAGE_BYTES);
}

bool parcel_finish(struct lane *lane, struct parcel *parcel)
{
	bool disturbed;
	uint64_t stall_ns;

	finish_copy(lane, parcel);
	enter(lane);
	put_in(lane, parcel);
	parcel->live = false;
	lane->nr_live--;
	disturbed = parcel->disturbed;
	leave(lane);
	if (disturbed || map_count(&parcel->arrived) != parcel->nr_pages)
		wake_others(lane, parcel);
	stall_ns = now_ns() - parcel->out_since_ns;
	if (!--lane->nr_out)
		nothing_out(lane);

	lane->tally.nr_chunks++;
	lane->tally.max_stall_ns = MAX(lane->tally.max_stall_ns, stall_ns);
	parcel->stall_ns = stall_ns;
	return_slot(lane, parcel);
	if (map_count(&parcel->stray))
		return false;
	return_frames(lane, parcel);
	return true;
}

void parcel_release(struct lane *lane, struct parcel *parcel)
{
	return_frames(lane, parcel);
}
