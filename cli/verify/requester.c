// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/verify/requester.h"

#define LIST_PAGES_MAX 4096
/* The longest time of a job, even on an emulated machine. */
#define HANG_NS (120 * NS_PER_SEC)

struct requester {
	struct ferry_range range;
	void *pages[LIST_PAGES_MAX];
	int nodes[LIST_PAGES_MAX];
	int *status; /* of the largest request of either kind */
};

static void requester_ask_range(struct actor *actor, struct requester *requester,
				struct ferry_request *request)
{
	const struct area *area = &actor->verify->area;
	uint64_t nr_pages = area->len_bytes / PAGE_BYTES, first = 0, nr = nr_pages;

	if (actor_random(actor, 4)) {
		/* Of any order of magnitude. */
		nr = 1 + actor_random(actor,
				      1ULL << actor_random(actor, 64 - __builtin_clzll(nr_pages)));
		nr = MIN(nr, nr_pages);
		first = actor_random(actor, nr_pages - nr + 1);
	}
	requester->range = (struct ferry_range){
		.addr = area->base + first * PAGE_BYTES,
		.len_bytes = nr * PAGE_BYTES,
		.node = actor->verify->node[actor_random(actor, 2)],
	};
	request->ranges = &requester->range;
	request->nr_ranges = 1;
}

static void requester_ask_list(struct actor *actor, struct requester *requester,
			       struct ferry_request *request)
{
	const struct area *area = &actor->verify->area;
	uint64_t nr = 1 + actor_random(actor, LIST_PAGES_MAX),
		 nr_pages = area->len_bytes / PAGE_BYTES;

	for (uint64_t i = 0; i < nr; i++) {
		requester->pages[i] = area->base + actor_random(actor, nr_pages) * PAGE_BYTES;
		requester->nodes[i] = actor->verify->node[actor_random(actor, 2)];
	}
	request->pages = requester->pages;
	request->nodes = requester->nodes;
	request->nr_pages = nr;
}

static enum ferry_mover requester_choose_mover(struct actor *actor)
{
	const struct text_list *movers = &verify_options.movers;
	const char *name = movers->v[actor_random(actor, movers->nr)];

	for (enum ferry_mover mover = 0; mover < FERRY_NR_MOVERS; mover++) {
		if (!strcmp(name, ferry_mover_name(mover)))
			return mover;
	}
	return FERRY_MOVER_AUTO;
}

static void requester_make_request(struct actor *actor, struct requester *requester,
				   struct ferry_request *request)
{
	static const unsigned int lanes[] = {0, FERRY_MOVE_TOGETHER, FERRY_MOVE_APART};

	*request = (struct ferry_request)FERRY_REQUEST_INIT;
	if (actor_random(actor, 3))
		requester_ask_range(actor, requester, request);
	else
		requester_ask_list(actor, requester, request);
	request->status = requester->status;
	request->mover = requester_choose_mover(actor);
	request->flags = actor->verify->fresh || !actor_random(actor, 4) ? FERRY_MOVE_ALWAYS : 0;
	request->flags |= lanes[actor_random(actor, ARRAY_SIZE(lanes))];
	request->nr_workers = (unsigned int)actor_random(actor, actor->verify->nr_workers + 1);
	request->chunk_bytes =
		verify_options.chunks.v[actor_random(actor, verify_options.chunks.nr)];
	if (!actor_random(actor, 16))
		request->deadline_ns = 1 + actor_random(actor, 2 * NS_PER_MS);
}

static uint64_t request_nr_statuses(const struct ferry_request *request)
{
	return request->nr_pages ? request->nr_pages : request->ranges[0].len_bytes / PAGE_BYTES;
}

/* Every status must be one of the two nodes, or an error. */
static bool request_check_statuses(struct actor *actor, const struct ferry_request *request)
{
	const struct verify *verify = actor->verify;

	for (uint64_t i = 0; i < request_nr_statuses(request); i++) {
		int status = request->status[i];

		if (status == verify->node[0] || status == verify->node[1])
			continue;
		if (status < 0 && status > -4096)
			continue;
		verify_fail(actor->verify, NULL,
			    "status %d of entry %llu is neither a node of the request nor an error",
			    status, (unsigned long long)i);
		return false;
	}
	return true;
}

static bool requester_take_result(struct actor *actor, struct ferry_job *job)
{
	struct ferry_result result = FERRY_RESULT_INIT;
	int err = ferry_job_result(job, &result);

	if (err || (result.error && result.error != -ECANCELED && result.error != -ETIMEDOUT)) {
		verify_fail(actor->verify, NULL, "a job failed: %s",
			    strerror(err ? -err : -result.error));
		return false;
	}
	verify_count(actor->verify, TALLY_REQUESTS, 1);
	verify_count(actor->verify, TALLY_PAGES, result.nr_moved);
	verify_count(actor->verify, TALLY_EXCHANGED, result.pages_by_mover[FERRY_MOVER_EXCHANGE]);
	verify_count(actor->verify, TALLY_KERNEL, result.pages_by_mover[FERRY_MOVER_KERNEL]);
	verify_count(actor->verify, TALLY_NOT_MOVED, result.nr_failed);
	if (result.error)
		verify_count(actor->verify, TALLY_CUT_SHORT, 1);
	return true;
}

static bool requester_run(struct actor *actor, const struct ferry_request *request)
{
	struct ferry_job *job;
	int err = ferry_submit(actor->verify->ferry, request, &job);
	bool right;

	if (err) {
		verify_fail(actor->verify, NULL, "a job was rejected: %s", strerror(-err));
		return false;
	}
	if (!actor_random(actor, 16))
		ferry_job_cancel(job);
	err = ferry_job_wait(job, HANG_NS);
	if (err) {
		verify_fail(actor->verify, NULL, "a job did not end in %llu s",
			    HANG_NS / NS_PER_SEC);
		return false;
	}
	right = requester_take_result(actor, job);
	ferry_job_close(job);
	return right && request_check_statuses(actor, request);
}

bool requester_step(struct actor *actor)
{
	size_t area_pages = actor->verify->area.len_bytes / PAGE_BYTES;
	struct ferry_request request;
	struct requester *requester = actor->private;

	if (!requester) {
		requester = cli_alloc(1, sizeof(*requester));
		actor->private = requester;
		requester->status = cli_alloc(MAX(area_pages, (size_t)LIST_PAGES_MAX), sizeof(int));
	}
	requester_make_request(actor, requester, &request);
	return requester_run(actor, &request);
}

void requester_close(struct actor *actor)
{
	struct requester *requester = actor->private;

	if (requester)
		free(requester->status);
	free(requester);
}
