// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a request of 64 MiB takes alone, and beside a long job of the same context: one in the
 * background, one that is as important, and as many jobs with a bandwidth cap as there are workers.
 * The cases take turns within one run. Reports medians, their ratio to the request alone, and what
 * the background job moves meanwhile; only ratios may be quoted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/testlib/moving.h"

#define REQUEST_BYTES (64UL << 20)
#define LONG_BYTES    (512UL << 20)
#define CAP_BYTES     (16UL << 20)
#define NR_ROUNDS     11
#define MAX_LONG      16U

enum beside { ALONE, BACKGROUND, ORDINARY, CAPPED, NR_BESIDES };

static const char *const names[] = {"alone", "beside a background job", "beside an ordinary job",
				    "beside capped jobs"};

static struct ferry *ferry;
static char *long_mem, *request_mem;
static unsigned int nr_workers;

static struct ferry_job *submit(char *addr, size_t len, unsigned int flags, uint64_t cap)
{
	struct ferry_range range = {addr, len, some_node()};
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_job *job;
	int err;

	request.ranges = &range;
	request.nr_ranges = 1;
	request.flags = FERRY_MOVE_ALWAYS | flags;
	request.mover = FERRY_MOVER_EXCHANGE;
	request.max_bytes_per_s = cap;
	err = ferry_submit(ferry, &request, &job);
	if (err) {
		fprintf(stderr, "job_turns: submit: %s\n", strerror(-err));
		exit(1);
	}
	return job;
}

/* Starts the long jobs, and waits until one of them is under way. */
static unsigned int start_long(enum beside beside, struct ferry_job **jobs)
{
	unsigned int nr = beside == ALONE ? 0 : beside == CAPPED ? nr_workers : 1;
	struct ferry_progress progress = {0};
	size_t share = nr ? ALIGN_DOWN(LONG_BYTES / nr, HUGE_BYTES) : 0;

	for (unsigned int i = 0; i < nr; i++)
		jobs[i] = submit(long_mem + i * share, share,
				 beside == BACKGROUND ? FERRY_MOVE_BACKGROUND : 0,
				 beside == CAPPED ? CAP_BYTES : 0);
	while (nr && !progress.nr_done)
		ferry_job_progress(jobs[0], &progress);
	return nr;
}

static uint64_t long_done(struct ferry_job *const *jobs, unsigned int nr)
{
	struct ferry_progress progress;
	uint64_t sum = 0;

	for (unsigned int i = 0; i < nr; i++) {
		ferry_job_progress(jobs[i], &progress);
		sum += progress.nr_done;
	}
	return sum * PAGE_BYTES;
}

/* The time of the request in ms. *long_bytes: what the long jobs have moved meanwhile. */
static double time_request(enum beside beside, double *long_bytes)
{
	struct ferry_job *jobs[MAX_LONG], *request;
	unsigned int nr = start_long(beside, jobs);
	uint64_t done = long_done(jobs, nr), start = test_now_ns(), end;

	request = submit(request_mem, REQUEST_BYTES, 0, 0);
	ferry_job_wait(request, UINT64_MAX);
	end = test_now_ns();
	*long_bytes = (double)(long_done(jobs, nr) - done);
	ferry_job_close(request);
	for (unsigned int i = 0; i < nr; i++)
		ferry_job_close(jobs[i]);
	return (double)(end - start) / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, NR_ROUNDS, sizeof(*values), compare);
	return values[NR_ROUNDS / 2];
}

int main(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	double ms[NR_BESIDES][NR_ROUNDS], share[NR_BESIDES][NR_ROUNDS], alone;
	int err;

	nr_workers = MIN((unsigned int)sysconf(_SC_NPROCESSORS_ONLN), MAX_LONG);
	options.nr_workers = nr_workers;
	err = ferry_open(&ferry, &options);
	if (err) {
		fprintf(stderr, "job_turns: %s\n", ferry_open_error());
		return 1;
	}
	long_mem = memory_new(LONG_BYTES, false);
	request_mem = memory_new(REQUEST_BYTES, false);
	fill(long_mem, LONG_BYTES, 1);
	fill(request_mem, REQUEST_BYTES, 2);
	/* The first round fills the pools. */
	for (unsigned int r = 0; r <= NR_ROUNDS; r++) {
		for (unsigned int b = 0; b < NR_BESIDES; b++) {
			unsigned int at = r ? r - 1 : 0;

			ms[b][at] = time_request(b, &share[b][at]);
			share[b][at] /= REQUEST_BYTES;
		}
	}
	alone = median(ms[ALONE]);
	printf("%-26s %9s %9s %22s\n", "64 MiB, 4 KiB pages", "ms", "ratio", "others moved, of it");
	for (unsigned int b = 0; b < NR_BESIDES; b++) {
		double mid = b == ALONE ? alone : median(ms[b]);

		printf("%-26s %9.2f %9.2f %22.2f\n", names[b], mid, mid / alone, median(share[b]));
	}
	if (!is_intact(long_mem, LONG_BYTES, 1) || !is_intact(request_mem, REQUEST_BYTES, 2))
		return 1;
	ferry_close(ferry);
	return 0;
}
