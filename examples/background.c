// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Moves a range in the background, by a job with a deadline. An event loop waits for the job's file
 * descriptor, and the program prints the job's result.
 *
 *	cc -o background background.c $(pkg-config --cflags --libs libpageferry)
 *	./background NODE
 */
#include <inttypes.h>
#include <pageferry.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEN_BYTES (64UL << 20)

static void print_result(struct ferry_job *job)
{
	struct ferry_result result = FERRY_RESULT_INIT;

	ferry_job_result(job, &result);
	printf("%" PRIu64 " pages: %" PRIu64 " moved, %" PRIu64 " in place, %" PRIu64
	       " not moved, in %.1f ms\n",
	       result.nr_pages, result.nr_moved, result.nr_in_place, result.nr_failed,
	       (double)result.wall_ns / 1e6);
	for (int mover = 0; mover < FERRY_NR_MOVERS; mover++)
		if (result.pages_by_mover[mover])
			printf("  %" PRIu64 " by %s\n", result.pages_by_mover[mover],
			       ferry_mover_name((enum ferry_mover)mover));
	for (int reason = 1; reason < FERRY_NR_REASONS; reason++)
		if (result.pages_by_reason[reason])
			printf("  %" PRIu64 " because: %s\n", result.pages_by_reason[reason],
			       ferry_reason_name((enum ferry_reason)reason));
}

/* Stands for the event loop of a real program. */
static void wait_for_job(struct ferry_job *job)
{
	struct pollfd fd = {.fd = ferry_job_fd(job), .events = POLLIN};
	struct ferry_progress progress;

	while (poll(&fd, 1, 10) == 0) {
		ferry_job_progress(job, &progress);
		fprintf(stderr, "%" PRIu64 " of %" PRIu64 " pages\n", progress.nr_done,
			progress.nr_pages);
	}
}

int main(int argc, char **argv)
{
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_range range = {.len_bytes = LEN_BYTES};
	struct ferry *ferry;
	struct ferry_job *job;
	int err;

	range.node = argc > 1 ? atoi(argv[1]) : 0;
	range.addr = aligned_alloc(4096, LEN_BYTES);
	if (!range.addr)
		return 1;
	memset(range.addr, 1, LEN_BYTES);

	request.ranges = &range;
	request.nr_ranges = 1;
	request.flags = FERRY_MOVE_ALWAYS; /* moves pages even on a machine with one node */
	request.deadline_ns = 10 * 1000000000ULL;

	err = ferry_open(&ferry, NULL);
	if (!err)
		err = ferry_submit(ferry, &request, &job);
	if (err) {
		fprintf(stderr, "%s %s\n", strerror(-err), ferry_open_error());
		ferry_close(ferry);
		return 1;
	}
	wait_for_job(job);
	print_result(job);
	ferry_job_close(job);
	ferry_close(ferry);
	free(range.addr);
	return 0;
}
