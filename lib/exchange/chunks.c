// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A lane's exchanges. A chunk is scanned and cut into stretches: pages in a row that need the same
 * action. Each stretch to be exchanged becomes a parcel; what can't be exchanged is gathered for
 * the kernel mover.
 */
#include <errno.h>

#include "base/clock.h"
#include "lib/exchange/chunk_scan.h"
#include "lib/exchange/cpu_pressure.h"
#include "lib/exchange/deaths.h"
#include "lib/exchange/exchange.h"
#include "lib/exchange/parcel.h"
#include "lib/kernel/kernel_mover.h"

/*
 * Shorter stretches go to the kernel mover. Increasing this saves pairs of UFFDIO_MOVE that cost
 * more than they gain; decreasing it exchanges more pages of fragmented memory.
 */
#define MIN_PARCEL_PAGES 4

/* ---- what stalls teach: sizes and limits ---- */

/*
 * Adapts the chunk size to the stall bound: pages of a smaller chunk are in flight for less time. A
 * stall says nothing about the size if the lane was preempted meanwhile, or if the parcel was small
 * and kept the bound. A lane that gathers parcels adapts their number instead.
 */
static void lane_adapt_chunk(struct lane *lane, unsigned int nr_pages, uint64_t stall_ns)
{
	const struct policy_machine *machine = &lane->ferry->machine;
	uint64_t most = lane->job->requested_chunk_bytes;

	if (lane->gather > 1 || cpu_pressure_nr_preempted() != lane->nr_preempted ||
	    (nr_pages < PAGES_PER_HUGE && stall_ns <= machine->stall_bound_ns))
		return;
	lane->chunk_bytes = MIN(policy_next_chunk(machine, lane->chunk_bytes, stall_ns),
				most ? most : (uint64_t)HUGE_BYTES);
}

/* Adapts the number of gathered parcels. All of them were in flight about as long as the first. */
static void lane_adapt_gather(struct lane *lane, uint64_t stall_ns)
{
	struct ferry *ferry = lane->ferry;
	unsigned int most = lane->job->split.gather;

	if (most <= 1 || cpu_pressure_nr_preempted() != lane->nr_preempted)
		return;
	lane->gather = MIN(policy_next_gather(&ferry->machine, lane->gather, stall_ns), most);
	atomic_store(&ferry->gather, lane->gather);
}

static void lane_note_stall(struct lane *lane, bool huge, unsigned int nr_pages, uint64_t stall_ns)
{
	inflight_limit_note(&lane->ferry->inflight_limit, nr_pages, huge,
			    lane->job->split.gather > 1, stall_ns, lane->ferry->machine.nr_workers);
}

/* ---- parcels that end ---- */

static void parcel_list_add(struct parcel **list, struct parcel *parcel)
{
	parcel->next = *list;
	*list = parcel;
}

/* Settles the pages that have arrived; the others are for the kernel mover. */
static void lane_settle_parcel(struct lane *lane, const struct parcel *parcel,
			       unsigned int nr_arrived)
{
	uint64_t position = parcel->first_position;

	if (nr_arrived == parcel->nr_pages) {
		lane_settle_run(lane, position, nr_arrived, parcel->node);
		return;
	}
	for (unsigned int i = 0; i < parcel->nr_pages; i++) {
		if (map_test(&parcel->arrived, i))
			lane_settle(lane, position + i, parcel->node);
		else
			fallback_add(lane, position + i, parcel->at + (uintptr_t)i * PAGE_BYTES,
				     parcel->node,
				     map_test(&parcel->stray, i) ? FERRY_REASON_ENGINE
								 : FERRY_REASON_REFUSED);
	}
}

static void lane_finish_parcel(struct lane *lane, struct parcel *parcel)
{
	bool clean = parcel_finish(lane, parcel);
	unsigned int nr_arrived = map_count(&parcel->arrived);

	lane->tally.nr_moved += nr_arrived;
	lane->tally.pages_by_mover[FERRY_MOVER_EXCHANGE] += nr_arrived;
	lane_adapt_chunk(lane, parcel->nr_pages, parcel->stall_ns);
	lane_settle_parcel(lane, parcel, nr_arrived);
	lane_note_done(lane, nr_arrived);
	window_put(parcel->window);
	parcel_list_add(clean ? &lane->free : &lane->quarantined, parcel);
}

/*
 * Serves the threads that exited while the parcels that have just been put in were in flight. While
 * the lane has others in flight this only finds out whether there were any.
 */
static void lane_serve_deaths(struct lane *lane, struct parcel *parcel)
{
	parcel->met_deaths = parcel_met_deaths(lane, parcel);
	for (unsigned int i = 0; i < lane->nr_used_parcels && !lane->nr_in_flight; i++) {
		if (lane->parcels[i].met_deaths)
			parcel_serve_deaths(lane, &lane->parcels[i]);
		lane->parcels[i].met_deaths = false;
	}
}

/* Waits until the engine has done with at least one parcel, and finishes those. */
static void lane_collect(struct lane *lane)
{
	struct engine_batch *done[LANE_PARCELS];
	const struct engine_ops *ops = lane->channel->engine->ops;
	uint32_t nr = ops->poll(lane->channel, NS_PER_MS, done, LANE_PARCELS);
	bool together = lane->job->split.gather > 1;
	unsigned int nr_pages = 0;
	uint64_t longest_ns = 0;

	for (uint32_t i = 0; i < nr; i++) {
		struct parcel *parcel = done[i]->owner;

		lane_finish_parcel(lane, parcel);
		nr_pages += parcel->nr_pages;
		longest_ns = MAX(longest_ns, parcel->stall_ns);
		if (!together)
			lane_note_stall(lane, parcel->huge, parcel->nr_pages, parcel->stall_ns);
	}
	/* Only now, because pages of the later ones were in flight before. */
	for (uint32_t i = 0; i < nr; i++)
		lane_serve_deaths(lane, done[i]->owner);
	/* Gathered parcels count as one exchange, because each of them waited for the others. */
	if (nr && together)
		lane_note_stall(lane, ((const struct parcel *)done[0]->owner)->huge, nr_pages,
				longest_ns);
	if (nr >= lane->gather || longest_ns > lane->ferry->machine.stall_bound_ns)
		lane_adapt_gather(lane, longest_ns);
}

static void lane_collect_all(struct lane *lane)
{
	while (lane->nr_in_flight)
		lane_collect(lane);
}

void lane_drain(struct lane *lane)
{
	lane_collect_all(lane);
	fallback_move(lane);
}

void lane_release_quarantine(struct lane *lane)
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
		parcel_list_add(&lane->free, parcel);
	}
}

/* ---- parcels that begin ---- */

static void lane_use_more_parcels(struct lane *lane)
{
	if (!lane->free && lane->nr_used_parcels < LANE_PARCELS)
		parcel_list_add(&lane->free, &lane->parcels[lane->nr_used_parcels++]);
}

/*
 * A parcel of which threads are not served yet is used again once the lane has nothing in flight.
 * NULL: all parcels of the lane are in quarantine.
 */
static struct parcel *lane_get_parcel(struct lane *lane)
{
	unsigned int depth = MAX(lane->channel->engine->depth, lane->gather);
	struct parcel *parcel;

	lane_use_more_parcels(lane);
	while (lane->nr_in_flight &&
	       (lane->nr_in_flight >= depth || !lane->free || lane->free->met_deaths))
		lane_collect(lane);
	if (!lane->free)
		lane_release_quarantine(lane);
	parcel = lane->free;
	if (parcel)
		lane->free = parcel->next;
	return parcel;
}

/* To open a pool takes locks and memory, so first the lane puts in what it has in flight. */
static struct pool *lane_get_pool(struct lane *lane, int node, bool huge)
{
	if (!pools_get_open(&lane->ferry->pools, node, huge))
		lane_collect_all(lane);
	return pools_get(&lane->ferry->pools, node, huge);
}

/* How many bays the job's pages fill that are not handed out yet, and one for those that are. */
static uint64_t job_left_bays(const struct ferry_job *job)
{
	return (job->nr_usable - atomic_load(&job->nr_handed_out)) / PAGES_PER_HUGE + 1;
}

/*
 * Grows both pools for as many parcels as the lane may gather, so that no group is cut short. 0 or
 * -ENOMEM.
 */
static int lane_grow_pools(struct lane *lane, struct pool *source, struct pool *target)
{
	struct pools_want want = {
		.source = source,
		.target = target,
		.nr_left_bays = job_left_bays(lane->job),
		.stamp = lane->job->stamp,
	};
	int err;

	want.nr_bays = (unsigned int)MIN((uint64_t)MAX(lane->gather, 1U), want.nr_left_bays);
	err = pools_make_ready(&lane->ferry->pools, &want);
	lane->tally.nr_frames_allocated += want.nr_made_pages;
	return err;
}

/*
 * How often a lane grows pools for a parcel. Other lanes may take what it has made ready, each time
 * for chunks of their own.
 */
#define GROW_TRIES 100

/* Pools that are too small grow while the lane has nothing in flight. */
static enum parcel_outcome lane_start_parcel(struct lane *lane, struct parcel *parcel, uintptr_t at,
					     unsigned int nr_pages)
{
	enum parcel_outcome outcome;

	/* A fork waits until the lane has nothing in flight. */
	if (lane->nr_in_flight && gate_is_shut(&lane->ferry->in_flight_gate))
		lane_collect_all(lane);
	outcome = parcel_start(lane, parcel, at, nr_pages);
	for (unsigned int tries = 0; outcome == PARCEL_LATER && tries < GROW_TRIES; tries++) {
		lane_collect_all(lane);
		if (lane_grow_pools(lane, parcel->source, parcel->target))
			break;
		outcome = parcel_start(lane, parcel, at, nr_pages);
	}
	return outcome;
}

/* Why no page of the parcel is in flight; FERRY_REASON_NONE if it is on its way. */
static enum ferry_reason parcel_outcome_reason(enum parcel_outcome outcome)
{
	switch (outcome) {
	case PARCEL_READY:
	case PARCEL_QUEUED:
		return FERRY_REASON_NONE;
	case PARCEL_LATER:
		return FERRY_REASON_NO_FRAMES;
	case PARCEL_CHANGED:
		return FERRY_REASON_CHANGED;
	case PARCEL_FORKING:
		return FERRY_REASON_FORK;
	case PARCEL_FOREIGN:
		return FERRY_REASON_UFFD_BUSY;
	case PARCEL_THREAD:
		return FERRY_REASON_THREAD;
	case PARCEL_REFUSED:
		break;
	}
	return FERRY_REASON_REFUSED;
}

/* ---- stretches ---- */

enum page_action {
	ACTION_EXCHANGE,
	ACTION_KERNEL,
	ACTION_THREAD, /* by the kernel mover too */
	ACTION_ABSENT,
	ACTION_IN_PLACE,
};

/* Pages in a row that are on one node and need the same action. */
struct stretch {
	const struct segment *segment;
	struct window *window;
	uint64_t first_position;
	unsigned int nr_pages;
	enum page_action action;
	int source_node;
	bool huge;
};

static enum page_action page_action(const struct lane *lane, const struct chunk_scan *scan,
				    unsigned int page, int node)
{
	if (map_test(&scan->kinds.absent, page))
		return ACTION_ABSENT;
	if (!map_test(&scan->kinds.movable, page))
		return ACTION_KERNEL;
	if (scan->node_of[page] == node && !(lane->job->flags & FERRY_MOVE_ALWAYS))
		return ACTION_IN_PLACE;
	return map_test(&scan->of_threads, page) ? ACTION_THREAD : ACTION_EXCHANGE;
}

/* The stretch that begins with the unit's page `first`. */
static struct stretch stretch_find(const struct lane *lane, const struct unit *unit,
				   const struct chunk_scan *scan, unsigned int first)
{
	int node = unit->segment->node;
	enum page_action action = page_action(lane, scan, first, node);
	unsigned int end = first + 1;

	while (end < unit->nr_pages && scan->node_of[end] == scan->node_of[first] &&
	       page_action(lane, scan, end, node) == action)
		end++;
	return (struct stretch){
		.segment = unit->segment,
		.window = unit->window,
		.first_position = unit->first_position + first,
		.nr_pages = end - first,
		.action = action,
		.source_node = scan->node_of[first],
		.huge = scan->kinds.huge,
	};
}

/* FERRY_REASON_NONE, or why the stretch is for the kernel mover. */
static enum ferry_reason stretch_send(struct lane *lane, const struct stretch *stretch)
{
	uintptr_t at = job_page(lane->job, stretch->segment, stretch->first_position);
	struct pool *source = lane_get_pool(lane, stretch->source_node, stretch->huge);
	struct pool *target = lane_get_pool(lane, stretch->segment->node, stretch->huge);
	enum parcel_outcome outcome;
	struct parcel *parcel;

	if (!source || !target)
		return FERRY_REASON_NO_FRAMES;
	parcel = lane_get_parcel(lane);
	if (!parcel)
		return FERRY_REASON_ENGINE;
	parcel->source = source;
	parcel->target = target;
	parcel->huge = stretch->huge;
	parcel->node = stretch->segment->node;
	parcel->first_position = stretch->first_position;
	parcel->window = stretch->window;
	window_hold(parcel->window);
	outcome = lane_start_parcel(lane, parcel, at, stretch->nr_pages);
	if (outcome == PARCEL_READY) {
		lane_finish_parcel(lane, parcel);
		lane_serve_deaths(lane, parcel);
		lane_note_stall(lane, parcel->huge, parcel->nr_pages, parcel->stall_ns);
	} else if (outcome != PARCEL_QUEUED) {
		window_put(parcel->window);
		parcel_list_add(&lane->free, parcel);
	}
	return parcel_outcome_reason(outcome);
}

static enum ferry_reason stretch_exchange(struct lane *lane, const struct stretch *stretch)
{
	if (stretch->nr_pages < MIN_PARCEL_PAGES &&
	    lane->job->requested_mover != FERRY_MOVER_EXCHANGE)
		return FERRY_REASON_SHORT;
	return stretch_send(lane, stretch);
}

static void stretch_leave_to_kernel(struct lane *lane, const struct stretch *stretch,
				    enum ferry_reason reason)
{
	for (unsigned int i = 0; i < stretch->nr_pages; i++) {
		uint64_t position = stretch->first_position + i;

		fallback_add(lane, position, job_page(lane->job, stretch->segment, position),
			     stretch->segment->node, reason);
	}
}

static void stretch_move(struct lane *lane, const struct stretch *stretch)
{
	enum ferry_reason reason;

	switch (stretch->action) {
	case ACTION_ABSENT:
		lane_settle_run(lane, stretch->first_position, stretch->nr_pages, -ENOENT);
		lane->tally.nr_failed += stretch->nr_pages;
		lane->tally.pages_by_reason[FERRY_REASON_FAILED] += stretch->nr_pages;
		lane_note_done(lane, stretch->nr_pages);
		break;
	case ACTION_IN_PLACE:
		lane_settle_run(lane, stretch->first_position, stretch->nr_pages,
				stretch->segment->node);
		lane->tally.nr_in_place += stretch->nr_pages;
		lane_note_done(lane, stretch->nr_pages);
		break;
	case ACTION_EXCHANGE:
		reason = stretch_exchange(lane, stretch);
		if (reason != FERRY_REASON_NONE)
			stretch_leave_to_kernel(lane, stretch, reason);
		break;
	case ACTION_KERNEL:
		stretch_leave_to_kernel(lane, stretch, FERRY_REASON_REFUSED);
		break;
	case ACTION_THREAD:
		stretch_leave_to_kernel(lane, stretch, FERRY_REASON_THREAD);
		break;
	}
}

/* ---- chunks ---- */

static bool lane_open_channel(struct lane *lane, int node)
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
	struct stretch stretch = {
		.segment = unit->segment,
		.first_position = unit->first_position,
		.nr_pages = unit->nr_pages,
		.action = ACTION_KERNEL,
	};
	struct chunk_scan scan;

	if (lane->fallback.nr + PAGES_PER_HUGE * (LANE_PARCELS + 1) > SLICE_MAX_PAGES)
		lane_drain(lane);
	if (!lane_open_channel(lane, unit->segment->node) ||
	    chunk_scan(lane->ferry, addr, unit->nr_pages, &scan)) {
		stretch_move(lane, &stretch);
		return;
	}
	if (!lane->nr_in_flight)
		cpu_pressure_relieve(lane);
	for (unsigned int first = 0; first < unit->nr_pages; first += stretch.nr_pages) {
		stretch = stretch_find(lane, unit, &scan, first);
		stretch_move(lane, &stretch);
	}
	/* Parcels that are gathered wait for nothing else. */
	if (lane->job->split.gather > 1 && lane->nr_in_flight >= lane->gather)
		lane_collect(lane);
}
