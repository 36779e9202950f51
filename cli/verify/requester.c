// SPDX-License-Identifier: LGPL-2.1-or-later
/* Threads that ask for moves: ranges and lists, large and small, some of them cut short. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/verify/internal.h"

#define LIST_PAGES_MAX 4096
/* A job that takes longer than this hangs, even on an emulated machine. */
#define HANG_NS (120 * NS_PER_SEC)

struct asker {
	struct ferry_range range;
	void *pages[LIST_PAGES_MAX];
	int nodes[LIST_PAGES_MAX];
	int *status; /* room for the largest request of either kind */
};

static uint64_t below(struct actor *actor, uint64_t limit)
{
	return random_next(&actor->random) % limit;
}

static void ask_range(struct actor *actor, struct asker *asker, struct ferry_request *request)
{
	const struct area *area = &actor->verify->area;
	uint64_t nr_pages = area->len_bytes / PAGE_BYTES, first = 0, nr = nr_pages;

	if (below(actor, 4)) {
		/* Of any order of magnitude. */
		nr = 1 + below(actor, 1ULL << below(actor, 64 - __builtin_clzll(nr_pages)));
		nr = MIN(nr, nr_pages);
		first = below(actor, nr_pages - nr + 1);
	}
	asker->range = (struct ferry_range){
		.addr = area->base + first * PAGE_BYTES,
		.len_bytes = nr * PAGE_BYTES,
		.node = actor->verify->node[below(actor, 2)],
	};
	request->ranges = &asker->range;
	request->nr_ranges = 1;
}

static void ask_list(struct actor *actor, struct asker *asker, struct ferry_request *request)
{
	const struct area *area = &actor->verify->area;
	uint64_t nr = 1 + below(actor, LIST_PAGES_MAX), nr_pages = area->len_bytes / PAGE_BYTES;

	for (uint64_t i = 0; i < nr; i++) {
		asker->pages[i] = area->base + below(actor, nr_pages) * PAGE_BYTES;
		asker->nodes[i] = actor->verify->node[below(actor, 2)];
	}
	request->pages = asker->pages;
	request->nodes = asker->nodes;
	request->nr_pages = nr;
}

static enum ferry_mover pick_mover(struct actor *actor)
{
	const struct text_list *movers = &verify_options.movers;
	const char *name = movers->v[below(actor, movers->nr)];

	for (enum ferry_mover mover = 0; mover < FERRY_NR_MOVERS; mover++) {
		if (!strcmp(name, ferry_mover_name(mover)))
			return mover;
	}
	return FERRY_MOVER_AUTO;
}

static void make_request(struct actor *actor, struct asker *asker, struct ferry_request *request)
{
	static const unsigned int lanes[] = {0, FERRY_MOVE_TOGETHER, FERRY_MOVE_APART};

	*request = (struct ferry_request)FERRY_REQUEST_INIT;
	if (below(actor, 3))
		ask_range(actor, asker, request);
	else
		ask_list(actor, asker, request);
	request->status = asker->status;
	request->mover = pick_mover(actor);
	request->flags = actor->verify->fresh || !below(actor, 4) ? FERRY_MOVE_FRESH : 0;
	request->flags |= lanes[below(actor, ARRAY_SIZE(lanes))];
	request->nr_workers = (unsigned int)below(actor, actor->verify->nr_workers + 1);
	request->chunk_bytes = verify_options.chunks.v[below(actor, verify_options.chunks.nr)];
	if (!below(actor, 16))
		request->deadline_ns = 1 + below(actor, 2 * NS_PER_MS);
}

static uint64_t status_count(const struct ferry_request *request)
{
	return request->nr_pages ? request->nr_pages : request->ranges[0].len_bytes / PAGE_BYTES;
}

/* Every status must be a node that was asked for, or say truly that the page did not move. */
static bool check_statuses(struct actor *actor, const struct ferry_request *request)
{
	const struct verify *verify = actor->verify;

	for (uint64_t i = 0; i < status_count(request); i++) {
		int status = request->status[i];

		if (status == verify->node[0] || status == verify->node[1])
			continue;
		if (status < 0 && status > -4096)
			continue;
		verify_fail(actor->verify, NULL, "status %d of entry %llu is no node and no error",
			    status, (unsigned long long)i);
		return false;
	}
	return true;
}

static bool take_result(struct actor *actor, struct ferry_job *job)
{
	struct ferry_result result = FERRY_RESULT_INIT;
	int err = ferry_job_result(job, &result);

	if (err || (result.error && result.error != -ECANCELED && result.error != -ETIMEDOUT)) {
		verify_fail(actor->verify, NULL, "a job ended with: %s",
			    strerror(err ? -err : -result.error));
		return false;
	}
	verify_count(actor->verify, TALLY_REQUESTS, 1);
	verify_count(actor->verify, TALLY_PAGES, result.nr_moved);
	verify_count(actor->verify, TALLY_EXCHANGED, result.pages_by_mover[FERRY_MOVER_EXCHANGE]);
	verify_count(actor->verify, TALLY_KERNEL, result.pages_by_mover[FERRY_MOVER_KERNEL]);
	verify_count(actor->verify, TALLY_NOT_MOVED, result.nr_failed);
	if (result.error)
		verify_count(actor->verify, TALLY_CANCELLED, 1);
	return true;
}

static bool run_request(struct actor *actor, const struct ferry_request *request)
{
	struct ferry_job *job;
	int err = ferry_submit(actor->verify->ferry, request, &job);
	bool right;

	if (err) {
		verify_fail(actor->verify, NULL, "a job was refused: %s", strerror(-err));
		return false;
	}
	if (!below(actor, 16))
		ferry_job_cancel(job);
	err = ferry_job_wait(job, HANG_NS);
	if (err) {
		verify_fail(actor->verify, NULL, "a job did not end in %llu s",
			    HANG_NS / NS_PER_SEC);
		return false;
	}
	right = take_result(actor, job);
	ferry_job_close(job);
	return right && check_statuses(actor, request);
}

bool requester_step(struct actor *actor)
{
	size_t area_pages = actor->verify->area.len_bytes / PAGE_BYTES;
	struct ferry_request request;
	struct asker *asker = actor->private;

	if (!asker) {
		asker = cli_alloc(1, sizeof(*asker));
		actor->private = asker;
		asker->status = cli_alloc(MAX(area_pages, (size_t)LIST_PAGES_MAX), sizeof(int));
	}
	make_request(actor, asker, &request);
	return run_request(actor, &request);
}

void requester_close(struct actor *actor)
{
	struct asker *asker = actor->private;

	if (asker)
		free(asker->status);
	free(asker);
}
