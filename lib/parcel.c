// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/sys.h"
#include "engines/cpu/kernels.h"
#include "lib/internal.h"
#include "lib/job.h"
#include "lib/pagemap.h"
#include "lib/putin.h"
#include "lib/uffd.h"

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
		sys(SYS_sched_yield);
		enter(lane);
	}
	return false;
}

/*
 * Moves pages into the slot until the kernel refuses one. Returns how many pages it went over,
 * holes included.
 */
static unsigned int take_out(struct lane *lane, struct parcel *parcel)
{
	size_t len = (size_t)parcel->nr_pages * PAGE_BYTES;
	size_t done = 0, moved;

	/* A disturbed parcel: behind this page something else may be mapped by now. */
	for (unsigned int tries = 0; done < len && tries < TAKE_OUT_TRIES && !parcel->disturbed;) {
		int err = uffd_move(lane->ferry->uffd, parcel->slot.addr + done, parcel->at + done,
				    len - done, true, &moved);

		done += moved;
		if (err && err != -EAGAIN)
			break;
		if (err && !moved) {
			tries++;
			/* Outside the gate, or the watcher never gets to read the event. */
			leave(lane);
			sys(SYS_sched_yield);
			enter(lane);
		}
	}
	return (unsigned int)(done / PAGE_BYTES);
}

/* Finds out what is in the slot: that, not what was seen before, is what will be put in. */
static void inspect(struct parcel *parcel, unsigned int nr_passed)
{
	struct page_kinds kinds;

	memset(&parcel->taken, 0, sizeof(parcel->taken));
	memset(&parcel->back, 0, sizeof(parcel->back));
	memset(&parcel->arrived, 0, sizeof(parcel->arrived));
	memset(&parcel->stray, 0, sizeof(parcel->stray));
	if (pagemap_kinds(parcel->slot.addr, nr_passed, &kinds)) {
		/* Unknown: everything goes back from the slot, holes are passed over. */
		map_set_range(&parcel->back, 0, nr_passed);
		return;
	}
	for (unsigned int i = 0; i < PAGE_MAP_WORDS; i++) {
		uint64_t movable = kinds.movable.word[i];

		parcel->taken.word[i] = movable;
		parcel->back.word[i] = ~movable & ~kinds.absent.word[i];
	}
	map_clear_range(&parcel->back, nr_passed, PAGES_PER_HUGE - nr_passed);
	/* A huge page that came out in small ones does not belong into a huge frame. */
	parcel->came_apart = !kinds.huge;
	if (parcel->huge && !kinds.huge) {
		for (unsigned int i = 0; i < PAGE_MAP_WORDS; i++)
			parcel->back.word[i] |= parcel->taken.word[i];
		memset(&parcel->taken, 0, sizeof(parcel->taken));
	}
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
	parcel->batch.alone = !lane->job->hands.share_copy;
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

/* ---- the whole ---- */

static void return_slot(struct lane *lane, struct parcel *parcel)
{
	/* Somebody may still read these frames by reference: they must not be written again. */
	if (atomic_load_explicit(&lane->ferry->fresh_frames, memory_order_relaxed) &&
	    map_count(&parcel->taken)) {
		sys(SYS_madvise, parcel->slot.addr, (size_t)parcel->slot.nr_pages * PAGE_BYTES,
		    MADV_DONTNEED);
		memset(&parcel->taken, 0, sizeof(parcel->taken));
	}
	pool_put(parcel->source, &parcel->slot, &parcel->taken, lane->job->stamp);
}

static void return_frames(struct lane *lane, struct parcel *parcel)
{
	struct page_map left = {0};

	map_set_range(&left, 0, parcel->frames.nr_pages);
	for (unsigned int i = 0; i < PAGE_MAP_WORDS; i++)
		left.word[i] &= ~parcel->arrived.word[i];
	pool_put(parcel->target, &parcel->frames, &left, lane->job->stamp);
}

static bool take_spans(struct lane *lane, struct parcel *parcel, unsigned int nr_pages)
{
	if (pool_take_frames(parcel->target, nr_pages, lane->job->stamp, &parcel->frames,
			     &lane->tally.nr_frames_made))
		return false;
	if (!pool_take_slot(parcel->source, nr_pages, &parcel->slot))
		return true;
	memset(&parcel->arrived, 0, sizeof(parcel->arrived));
	return_frames(lane, parcel);
	return false;
}

enum parcel_start parcel_start(struct lane *lane, struct parcel *parcel, uintptr_t at,
			       unsigned int nr_pages)
{
	unsigned int nr_passed = 0;
	bool changed;

	if (!take_spans(lane, parcel, nr_pages))
		return PARCEL_NO_FRAMES;
	if (!lane->nr_out)
		gate_enter(&lane->ferry->outs, lane->door);

	enter(lane);
	parcel->at = at;
	parcel->nr_pages = nr_pages;
	parcel->disturbed = false;
	memset(&parcel->dropped, 0, sizeof(parcel->dropped));
	parcel->live = true;
	parcel->out_since_ns = now_ns();
	changed = !is_watched(lane, at) ||
		  watcher_sees_discard(lane->ferry, at, (size_t)nr_pages * PAGE_BYTES);
	if (!changed)
		nr_passed = take_out(lane, parcel);
	parcel->live = nr_passed > 0;
	leave(lane);

	inspect(parcel, nr_passed);
	if (!nr_passed) {
		if (!lane->nr_out)
			gate_leave(&lane->ferry->outs, lane->door);
		uffd_wake(lane->ferry->uffd, at, (size_t)nr_pages * PAGE_BYTES);
		return_slot(lane, parcel);
		return_frames(lane, parcel);
		return changed ? PARCEL_CHANGED : PARCEL_REFUSED;
	}
	lane->nr_out++;
	return hand_over(lane, parcel);
}

bool parcel_finish(struct lane *lane, struct parcel *parcel)
{
	unsigned int nr_copied;
	bool disturbed;
	uint64_t out_ns;

	finish_copy(lane, parcel);
	nr_copied = map_count(&parcel->taken);
	enter(lane);
	put_in(lane, parcel);
	parcel->live = false;
	disturbed = parcel->disturbed;
	leave(lane);
	/* MOVE wakes those who wait for the pages it moves; holes among them have waiters too. */
	if (disturbed || nr_copied != parcel->nr_pages ||
	    map_count(&parcel->arrived) != parcel->nr_pages)
		uffd_wake(lane->ferry->uffd, parcel->at, (size_t)parcel->nr_pages * PAGE_BYTES);
	out_ns = now_ns() - parcel->out_since_ns;
	if (!--lane->nr_out)
		gate_leave(&lane->ferry->outs, lane->door);

	lane->tally.nr_chunks++;
	lane->tally.max_out_ns = MAX(lane->tally.max_out_ns, out_ns);
	parcel->out_since_ns = out_ns;
	/* Pieces of a huge page have left page tables behind where huge frames must go. */
	if (parcel->huge && parcel->came_apart) {
		pool_distrust(parcel->source, &parcel->slot);
		pool_distrust(parcel->target, &parcel->frames);
	}
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
