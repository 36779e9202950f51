// SPDX-License-Identifier: LGPL-2.1-or-later
/* The pages, one move of them, and whether they arrived. */
#include <errno.h>
#include <numaif.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/move.h"

static void name_pages(struct subject *subject)
{
	const struct area *area = &subject->area;
	size_t stride = move_options.scattered ? 2 * area->folio_bytes : area->folio_bytes;
	uint32_t nr_folios = (uint32_t)(area->len_bytes / stride);
	uint32_t per_folio = (uint32_t)(area->folio_bytes / subject->step_bytes);
	uint32_t *order = shuffled(nr_folios, 1);

	for (uint32_t i = 0; i < nr_folios; i++) {
		char *folio = area->base + (move_options.scattered ? order[i] : i) * stride;

		for (uint32_t j = 0; j < per_folio; j++)
			subject->pages[subject->nr_pages++] = folio + j * subject->step_bytes;
	}
	free(order);
}

static int open_memory(struct subject *subject, size_t len_bytes, size_t folio_bytes)
{
	int err;

	if (move_options.other_process)
		return holder_open(&subject->holder, len_bytes, folio_bytes, subject->node[0],
				   subject->seed, &subject->area);
	err = area_open(&subject->area, len_bytes, folio_bytes, subject->node[0]);
	if (!err)
		area_fill(&subject->area, subject->seed);
	return err;
}

int subject_open(struct subject *subject, size_t folio_bytes, const int node[2])
{
	size_t len_bytes = move_options.total_bytes * (move_options.scattered ? 2 : 1);
	size_t nr_max;
	int err;

	memset(subject, 0, sizeof(*subject));
	subject->fresh = node[0] == node[1];
	memcpy(subject->node, node, sizeof(subject->node));
	subject->seed = folio_bytes * 0x100000001b3ULL;
	err = open_memory(subject, len_bytes, folio_bytes);
	if (err)
		return err;
	subject->step_bytes = area_step_bytes(&subject->area);
	nr_max = subject->area.len_bytes / subject->step_bytes;
	subject->pages = cli_alloc(nr_max, sizeof(*subject->pages));
	/* A job over a range has a status per 4 KiB. */
	subject->status = cli_alloc(subject->area.len_bytes / PAGE_BYTES, sizeof(int));
	subject->where = cli_alloc(nr_max, sizeof(int));
	for (unsigned int end = 0; end < 2; end++) {
		subject->nodes[end] = cli_alloc(nr_max, sizeof(int));
		for (size_t i = 0; i < nr_max; i++)
			subject->nodes[end][i] = node[end];
	}
	name_pages(subject);
	return 0;
}

void subject_close(struct subject *subject)
{
	free(subject->pages);
	free(subject->status);
	free(subject->where);
	free(subject->nodes[0]);
	free(subject->nodes[1]);
	if (!subject->holder.pid)
		area_close(&subject->area);
	holder_close(&subject->holder);
	memset(subject, 0, sizeof(*subject));
}

/* Only the wait and the call are timed; setting up the request is a caller's own cost in any way.
 */
static int run_job(struct subject *subject __maybe_unused, struct ferry *ferry, enum way way,
		   const struct ferry_request *request, struct outcome *out)
{
	struct ferry_job *job;
	int err = ferry_submit(ferry, request, &job);

	if (err) {
		cli_error("mover %s: the job was refused: %s", way_name(way), strerror(-err));
		return err;
	}
	ferry_job_wait(job, UINT64_MAX);
	out->ns = now_ns() - out->ns;
	out->result = (struct ferry_result)FERRY_RESULT_INIT;
	err = ferry_job_result(job, &out->result);
	out->has_result = true;
	ferry_job_close(job);
	if (!err)
		err = out->result.error;
	if (err)
		cli_error("mover %s: the job ended with: %s", way_name(way), strerror(-err));
	return err;
}

static unsigned int lanes_flag(void)
{
	if (!move_options.lanes || !strcmp(move_options.lanes, "auto"))
		return 0;
	return strcmp(move_options.lanes, "apart") ? FERRY_MOVE_TOGETHER : FERRY_MOVE_APART;
}

static int start_job(struct subject *subject, struct ferry *ferry, enum way way,
		     unsigned int nr_workers, uint32_t first, uint32_t nr, unsigned int end,
		     struct outcome *out)
{
	static const enum ferry_mover movers[] = {
		[WAY_KERNEL] = FERRY_MOVER_KERNEL,
		[WAY_EXCHANGE] = FERRY_MOVER_EXCHANGE,
		[WAY_AUTO] = FERRY_MOVER_AUTO,
	};
	const struct ferry_range range = {
		.addr = subject->pages[first],
		.len_bytes = nr * subject->step_bytes,
		.node = subject->node[end],
	};
	struct ferry_request request = FERRY_REQUEST_INIT;

	if (move_options.scattered) {
		request.pages = subject->pages + first;
		request.nodes = subject->nodes[end] + first;
		request.nr_pages = nr;
	} else {
		request.ranges = &range;
		request.nr_ranges = 1;
	}
	request.pid = subject->holder.pid;
	request.status = subject->status;
	request.flags = (subject->fresh ? FERRY_MOVE_FRESH : 0) | lanes_flag();
	request.mover = movers[way];
	request.nr_workers = nr_workers;
	request.chunk_bytes = move_options.chunk_bytes;
	return run_job(subject, ferry, way, &request, out);
}

static int run_call(struct subject *subject, struct ferry *ferry, enum way way, uint32_t first,
		    uint32_t nr, unsigned int end, struct outcome *out)
{
	void **pages = subject->pages + first;
	const int *nodes = subject->nodes[end] + first;
	long left;

	if (way == WAY_CALL)
		left = ferry_move_pages(ferry, subject->holder.pid, nr, pages, nodes,
					subject->status, MPOL_MF_MOVE);
	else
		left = syscall(SYS_move_pages, subject->holder.pid, (unsigned long)nr, pages, nodes,
			       subject->status, MPOL_MF_MOVE);
	out->ns = now_ns() - out->ns;
	if (left < 0) {
		int err = -errno;

		cli_error("mover %s: %s", way_name(way), strerror(-err));
		return err;
	}
	return 0;
}

/* Entries of status per address: a job over a range has one per 4 KiB. */
static uint32_t status_step(const struct subject *subject, enum way way)
{
	if (way < WAY_KERNEL || move_options.scattered)
		return 1;
	return (uint32_t)(subject->step_bytes / PAGE_BYTES);
}

/* Pages may be busy for a moment; a status of a third node is a lie. */
static int count_left(const struct subject *subject, enum way way, uint32_t nr, unsigned int end,
		      struct outcome *out)
{
	uint32_t nr_status = nr * status_step(subject, way), nr_left = 0;

	for (uint32_t i = 0; i < nr_status; i++) {
		int status = subject->status[i];

		if (status == subject->node[end])
			continue;
		if (status >= 0 && status != subject->node[!end]) {
			cli_error("mover %s: entry %u of %u: status %d, expected node %d",
				  way_name(way), i, nr_status, status, subject->node[end]);
			return -EIO;
		}
		nr_left++;
	}
	out->left_part = (double)nr_left / nr_status;
	return 0;
}

int subject_move(struct subject *subject, struct ferry *ferry, enum way way,
		 unsigned int nr_workers, uint32_t first, uint32_t nr, unsigned int end,
		 struct outcome *out)
{
	struct usage before, after;
	int err;

	memset(out, 0, sizeof(*out));
	memset(subject->status, 0xff, nr * sizeof(int));
	before = usage_now();
	out->ns = now_ns();
	if (way == WAY_SYSCALL || way == WAY_CALL)
		err = run_call(subject, ferry, way, first, nr, end, out);
	else
		err = start_job(subject, ferry, way, nr_workers, first, nr, end, out);
	after = usage_now();
	if (err)
		return err;
	out->cpu_s = after.cpu_s - before.cpu_s;
	out->nr_faults = after.nr_faults - before.nr_faults;
	return count_left(subject, way, nr, end, out);
}

/* The kernel must see each page where its status says that it is now. */
static int check_places(struct subject *subject, enum way way)
{
	uint32_t step = status_step(subject, way);

	if (syscall(SYS_move_pages, subject->holder.pid, (unsigned long)subject->nr_pages,
		    subject->pages, NULL, subject->where, 0)) {
		cli_error("mover %s: pages can't be looked up: %s", way_name(way), strerror(errno));
		return -EIO;
	}
	for (uint32_t i = 0; i < subject->nr_pages; i++) {
		int status = subject->status[(size_t)i * step];

		if (status < 0 || subject->where[i] == status)
			continue;
		cli_error("mover %s: %p is on node %d (if negative: -errno), its status says %d",
			  way_name(way), subject->pages[i], subject->where[i], status);
		return -EIO;
	}
	return 0;
}

/* 1, 0 with *bad, or -errno. */
static int check_content(const struct subject *subject, struct mismatch *bad)
{
	if (subject->holder.pid)
		return holder_check(&subject->holder, bad);
	return area_check(&subject->area, subject->seed, bad);
}

int subject_check(struct subject *subject, const enum way *way)
{
	struct mismatch bad;
	int right;

	if (move_options.no_check)
		return 0;
	if (way && check_places(subject, *way))
		return -EIO;
	right = check_content(subject, &bad);
	if (right > 0)
		return 0;
	if (right < 0) {
		cli_error("--other-process: the process that held the memory has ended");
		return right;
	}
	mismatch_report(way ? way_name(*way) : "wrong content", &bad);
	return -EIO;
}
