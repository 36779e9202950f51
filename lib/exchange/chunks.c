// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The exchange mover's share of a lane: looks what a chunk holds, sends stretches of it out as
 * parcels, and gathers what can't be exchanged for the kernel mover.
 */
#include <errno.h>

#include "base/clock.h"
#include "lib/exchange/chunk_scan.h"
#include "lib/exchange/cpu_pressure.h"
#include "lib/exchange/exchange.h"
#include "lib/exchange/parcel.h"
#include "lib/kernel/kernel_mover.h"

/* Fewer pages in a row than this are not worth two UFFDIO_MOVEs. */
#define MIN_PARCEL_PAGES 4

/* ---- parcels ---- */

/*
 * What is gathered or taken out at a time follows from how long pages were out: less of it is out
 * for less time, but not if it is the CPU that was missing.
 */
static void keep_bound(struct lane *lane, unsigned int nr_pages, uint64_t stall_ns)
{
	const struct policy_machine *machine = &lane->ferry->machine;
	uint64_t most = lane->job->requested_chunk_bytes;

	if (lane->gather > 1 || cpu_pressure_nr_preempted() != lane->nr_preempted ||
	    (nr_pages < PAGES_PER_HUGE && stall_ns <= machine->stall_bound_ns))
		return;
	lane->chunk_bytes = MIN(policy_next_chunk(machine, lane->chunk_bytes, stall_ns),
				most ? most : (uint64_t)HUGE_BYTES);
}

static void finish(struct lane *lane, struct parcel *parcel)
{
	unsigned int nr_arrived, nr = parcel->nr_pages;
	uintptr_t at = parcel->at;
	bool clean = parcel_finish(lane, parcel);

	nr_arrived = map_count(&parcel->arrived);
	lane->tally.nr_moved += nr_arrived;
	lane->tally.pages_by_mover[FERRY_MOVER_EXCHANGE] += nr_arrived;
	keep_bound(lane, nr, parcel->stall_ns);
	if (nr_arrived == nr) {
		lane_settle_run(lane, parcel->first_position, nr, parcel->node);
	} else {
		for (unsigned int i = 0; i < nr; i++) {
			if (map_test(&parcel->arrived, i))
				lane_settle(lane, parcel->first_position + i, parcel->node);
			else
				fallback_add(lane, parcel->first_position + i,
					     at + (uintptr_t)i * PAGE_BYTES, parcel->node,
					     map_test(&parcel->stray, i) ? FERRY_REASON_ENGINE
									 : FERRY_REASON_REFUSED);
		}
	}
	lane_note_done(lane, nr_arrived);
	parcel->next = clean ? lane->free : lane->quarantined;
	if (clean)
		lane->free = parcel;
	else
		lane->quarantined = parcel;
}

/* Parcels that were gathered are one to the inflight_limit: each waited for the others. */
static void note_time(struct lane *lane, const struct parcel *parcel, unsigned int nr_pages,
		      uint64_t stall_ns)
{
	inflight_limit_note(&lane->ferry->inflight_limit, nr_pages, parcel->huge,
			    lane->job->split.gather > 1, stall_ns, lane->ferry->machine.nr_workers);
}

/* All of them were out for about as long as the first. */
static void keep_gather(struct lane *lane, uint64_t stall_ns)
{
	struct ferry *ferry = lane->ferry;
	unsigned int most = lane->job->split.gather;

	if (most <= 1 || cpu_pressure_nr_preempted() != lane->nr_preempted)
		return;
	lane->gather = MIN(policy_next_gather(&ferry->machine, lane->gather, stall_ns), most);
	atomic_store(&ferry->gather, lane->gather);
}

/* Collects what an engine has finished, waiting for at least one. */
static void collect(struct lane *lane)
{
	struct engine_batch *done[LANE_PARCELS];
	const struct engine_ops *ops = lane->channel->engine->ops;
	uint32_t nr = ops->poll(lane->channel, NS_PER_MS, done, LANE_PARCELS);
	bool together = lane->job->split.gather > 1;
	unsigned int nr_pages = 0;
	uint64_t longest_ns = 0;

	for (uint32_t i = 0; i < nr; i++) {
		struct parcel *parcel = done[i]->owner;

		finish(lane, parcel);
		nr_pages += parcel->nr_pages;
		longest_ns = MAX(longest_ns, parcel->stall_ns);
		if (!together)
			note_time(lane, parcel, parcel->nr_pages, parcel->stall_ns);
	}
	if (nr && together)
		note_time(lane, done[0]->owner, nr_pages, longest_ns);
	if (nr >= lane->gather || longest_ns > lane->ferry->machine.stall_bound_ns)
		keep_gather(lane, longest_ns);
}

static void collect_all(struct lane *lane)
{
	while (lane->nr_out)
		collect(lane);
}

void lane_drain(struct lane *lane)
{
	collect_all(lane);
	fallback_move(lane);
}

/* Frames that a hung device held are frames again once its channel is quiet. */
void quarantine_release(struct lane *lane)
{
	struct parcel **link = &lane->quarantined;

	while (*link) {
		struct parcel *parcel = *link;
		const struct engine_ops *ops = parcel->channel->engine->ops;

		if (ops->quiet && !ops->quiet(parcel->channel)) {
			link = &parcel->next;
			continue;
		}
		*link = parcel->next;
		parcel_release(lane, parcel);
		parcel->next = lane->free;
		lane->free = parcel;
	}
}

static struct parcel *get_parcel(struct lane *lane)
{
	unsigned int depth = MAX(lane->channel->engine->depth, lane->gather);
	struct parcel *parcel;

	while (lane->nr_out && (lane->nr_out >= depth || !lane->free))
		collect(lane);
	if (!lane->free)
		quarantine_release(lane);
	parcel = lane->free;
	if (parcel)
		lane->free = parcel->next;
	return parcel;
}

/* A pool is not opened while pages of this lane are out: that takes locks and memory. */
static struct pool *get_pool(struct lane *lane, int node, bool huge)
{
	if (!pools_get_open(&lane->ferry->pools, node, huge))
		collect_all(lane);
	return pools_get(&lane->ferry->pools, node, huge);
}

/* For as much as may be out at a time: from now on nothing will have to be collected early. */
static void make_ready(struct lane *lane, struct pool *source, struct pool *target)
{
	uint64_t *nr_made = &lane->tally.nr_frames_made;

	pool_make_ready(target, lane->gather, 0, lane->job->stamp, nr_made);
	pool_make_ready(source, 0, lane->gather, lane->job->stamp, nr_made);
}

/* One stretch of present pages on one node. Returns false if not a single page came out. */
static bool send_parcel(struct lane *lane, const struct unit *unit, unsigned int first,
			unsigned int nr_pages, int source_node, bool huge)
{
	const struct segment *segment = unit->segment;
	uint64_t position = unit->first_position + first;
	uintptr_t at = job_page(lane->job, segment, position);
	struct pool *source = get_pool(lane, source_node, huge);
	struct pool *target = get_pool(lane, segment->node, huge);
	struct parcel *parcel = source && target ? get_parcel(lane) : NULL;
	enum ferry_reason reason = FERRY_REASON_REFUSED;
	enum parcel_start start;

	if (parcel) {
		parcel->source = source;
		parcel->target = target;
		parcel->huge = huge;
		parcel->node = segment->node;
		parcel->first_position = position;
		start = parcel_start(lane, parcel, at, nr_pages);
		if (start == PARCEL_LATER) {
			collect_all(lane);
			make_ready(lane, source, target);
			start = parcel_start(lane, parcel, at, nr_pages);
		}
		switch (start) {
		case PARCEL_READY:
			finish(lane, parcel);
			note_time(lane, parcel, nr_pages, parcel->stall_ns);
			return true;
		case PARCEL_QUEUED:
			return true;
		case PARCEL_LATER:
		case PARCEL_NO_FRAMES:
			reason = FERRY_REASON_NO_FRAMES;
			break;
		case PARCEL_CHANGED:
			reason = FERRY_REASON_CHANGED;
			break;
		case PARCEL_REFUSED:
			break;
		}
		parcel->next = lane->free;
		lane->free = parcel;
	} else {
		reason = source && target ? FERRY_REASON_ENGINE : FERRY_REASON_NO_FRAMES;
	}
	for (unsigned int i = 0; i < nr_pages; i++)
		fallback_add(lane, position + i, at + (uintptr_t)i * PAGE_BYTES, segment->node,
			     reason);
	return false;
}

/* ---- chunks ---- */

enum page_action { ACTION_EXCHANGE, ACTION_KERNEL, ACTION_ABSENT, ACTION_IN_PLACE };

static enum page_action action_of(const struct lane *lane, const struct chunk_scan *survey,
				  unsigned int page, int node)
{
	if (map_test(&survey->kinds.absent, page))
		return ACTION_ABSENT;
	if (!map_test(&survey->kinds.movable, page))
		return ACTION_KERNEL;
	if (survey->node_of[page] == node && !(lane->job->flags & FERRY_MOVE_FRESH))
		return ACTION_IN_PLACE;
	return ACTION_EXCHANGE;
}

static void stretch_move(struct lane *lane, const struct unit *unit, unsigned int first,
			 unsigned int nr_pages, enum page_action action, int source_node, bool huge)
{
	uint64_t position = unit->first_position + first;
	const struct segment *segment = unit->segment;

	switch (action) {
	case ACTION_ABSENT:
		lane_settle_run(lane, position, nr_pages, -ENOENT);
		lane->tally.nr_failed += nr_pages;
		lane->tally.pages_by_reason[FERRY_REASON_FAILED] += nr_pages;
		lane_note_done(lane, nr_pages);
		return;
	case ACTION_IN_PLACE:
		lane_settle_run(lane, position, nr_pages, segment->node);
		lane->tally.nr_in_place += nr_pages;
		lane_note_done(lane, nr_pages);
		return;
	case ACTION_EXCHANGE:
		if (nr_pages >= MIN_PARCEL_PAGES ||
		    lane->job->requested_mover == FERRY_MOVER_EXCHANGE) {
			send_parcel(lane, unit, first, nr_pages, source_node, huge);
			return;
		}
		break;
	case ACTION_KERNEL:
		break;
	}
	for (unsigned int i = 0; i < nr_pages; i++)
		fallback_add(lane, position + i, job_page(lane->job, segment, position + i),
			     segment->node,
			     action == ACTION_KERNEL ? FERRY_REASON_REFUSED : FERRY_REASON_SHORT);
}

static bool open_channel(struct lane *lane, int node)
{
	struct engine *engine = lane->ferry->engine;
	struct engine_channel **channel = &lane->channels[node];

	if (lane->channel && lane->channel == *channel)
		return true;
	lane_drain(lane);
	if (!*channel && engine->ops->channel_open(engine, node, channel))
		return false;
	lane->channel = *channel;
	return true;
}

void chunk_move(struct lane *lane, const struct unit *unit)
{
	uintptr_t addr = job_page(lane->job, unit->segment, unit->first_position);
	int node = unit->segment->node;
	struct chunk_scan seen;

	if (lane->fallback.nr + PAGES_PER_HUGE * (LANE_PARCELS + 1) > SLICE_MAX_PAGES)
		lane_drain(lane);
	if (!open_channel(lane, node) || chunk_scan(lane->ferry, addr, unit->nr_pages, &seen)) {
		stretch_move(lane, unit, 0, unit->nr_pages, ACTION_KERNEL, 0, false);
		return;
	}
	if (!lane->nr_out)
		cpu_pressure_relieve(lane);
	for (unsigned int at = 0; at < unit->nr_pages;) {
		enum page_action action = action_of(lane, &seen, at, node);
		unsigned int end = at + 1;

		while (end < unit->nr_pages && seen.node_of[end] == seen.node_of[at] &&
		       action_of(lane, &seen, end, node) == action)
			end++;
		stretch_move(lane, unit, at, end - at, action, seen.node_of[at], seen.kinds.huge);
		at = end;
	}
	/* What is gathered waits for nothing else. */
	if (lane->job->split.gather > 1 && lane->nr_out >= lane->gather)
		collect(lane);
}
