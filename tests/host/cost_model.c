// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A context follows the profile that it has read: profiles that make one mover cheap and the other
 * one dear decide which mover gets a job, how many workers, and which calls are planned at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "include/pageferry.h"
#include "lib/core/context.h"
#include "lib/job/lifecycle.h"
#include "lib/plan/plan.h"
#include "lib/profile/machine_key.h"
#include "lib/profile/profile_cache.h"
#include "base/vault.h"
#include "tests/testlib/tap.h"

#define LEN_BYTES (16UL << 20)
#define NR_PAGES  (LEN_BYTES / PAGE_BYTES)

static char path[] = "/tmp/pageferry-profile-XXXXXX";
static char *area;

/* Every distance and size is measured; the kernel costs that much. */
static void profile_write(double kernel_fixed_ns, double kernel_byte_ns, double copy_byte_ns,
			  double limit)
{
	static char text[PROFILE_TEXT_BYTES];
	struct profile_key key;
	struct profile profile;
	size_t len;
	FILE *file = fopen(path, "w");

	profile_defaults(&profile, 1, 2);
	/* Where one worker takes all the bandwidth, others also stand in its way. */
	if (limit * copy_byte_ns <= 1) {
		profile.move_serial = 1;
		profile.interrupted_ns = 1e6;
	}
	for (int reach = 0; reach < PROFILE_NR_REACHES; reach++) {
		profile.limit[reach] = limit;
		for (int size = 0; size < PROFILE_NR_SIZES; size++) {
			profile.cost[PROFILE_KERNEL][reach][size] =
				(struct profile_cost){kernel_fixed_ns, kernel_byte_ns, 1};
			profile.cost[PROFILE_CPU][reach][size] =
				(struct profile_cost){0, copy_byte_ns, 1};
		}
	}
	machine_key_read(&key, ferry_version());
	len = profile_format(&profile, &key, text, sizeof(text));
	if (!file || !len || fwrite(text, len, 1, file) != 1 || fclose(file) || chmod(path, 0644)) {
		tap_note("cannot write %s", path);
		exit(1);
	}
}

static struct ferry *context_new(void)
{
	struct ferry *ferry;

	if (ferry_open(&ferry, NULL)) {
		tap_note("ferry_open: %s", ferry_open_error());
		exit(1);
	}
	return ferry;
}

/* The plan of a job for the whole area. */
static struct ferry_job *job_planned(struct ferry *ferry, enum ferry_mover mover,
				     unsigned int flags)
{
	struct ferry_job *job;

	if (job_new(ferry, &job) || vault_alloc(sizeof(*job->ranges), (void **)&job->ranges))
		exit(1);
	job->nr_ranges = 1;
	job->ranges[0] = (struct ferry_range){area, LEN_BYTES, ferry->nodes.first_memory};
	job->own_process = true;
	job->nr_pages = job->nr_usable = NR_PAGES;
	job->requested_mover = mover;
	job->flags = flags;
	if (job_plan(job))
		exit(1);
	return job;
}

/* Pages that the plan gives to the exchange mover. */
static uint64_t nr_exchanged(struct ferry *ferry, enum ferry_mover mover, unsigned int flags)
{
	struct ferry_job *job = job_planned(ferry, mover, flags);
	uint64_t nr = 0;

	for (size_t i = 0; i < job->segments.nr; i++)
		if (job->segments.at[i].mover == FERRY_MOVER_EXCHANGE)
			nr += job->segments.at[i].nr_pages;
	job_free(job);
	return nr;
}

/* A job that really runs: all its pages are in place, and it says so. */
static bool job_works(struct ferry *ferry)
{
	const struct ferry_range range = {area, LEN_BYTES, ferry->nodes.first_memory};
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_job *job;

	request.ranges = &range;
	request.nr_ranges = 1;
	if (ferry_submit(ferry, &request, &job))
		return false;
	ferry_job_wait(job, UINT64_MAX);
	if (ferry_job_result(job, &result))
		result.nr_failed = 1;
	ferry_job_close(job);
	return !result.error && !result.nr_failed &&
	       result.nr_moved + result.nr_in_place == NR_PAGES;
}

/* True if a call for that many pages becomes a job. */
static bool call_is_planned(struct ferry *ferry, unsigned long count)
{
	static void *pages[NR_PAGES];
	static int nodes[NR_PAGES], status[NR_PAGES];
	uint64_t before = ferry->nr_jobs;

	for (unsigned long i = 0; i < count; i++) {
		pages[i] = area + i * PAGE_BYTES;
		nodes[i] = ferry->nodes.first_memory;
	}
	if (ferry_move_pages(ferry, 0, count, pages, nodes, status, 2 /* MPOL_MF_MOVE */))
		tap_note("ferry_move_pages failed");
	return ferry->nr_jobs != before;
}

static void check_dear_kernel(void)
{
	struct ferry *ferry;

	profile_write(1e6, 10, 0.05, 1000);
	ferry = context_new();
	tap_ok(ferry->model.followed, "the context follows the profile");
	tap_ok(nr_exchanged(ferry, FERRY_MOVER_AUTO, 0) == NR_PAGES,
	       "a dear kernel: all pages are exchanged");
	tap_ok(ferry->machine.direct_pages == 32 && call_is_planned(ferry, 200),
	       "a dear call: 200 pages are planned (from %u on)", ferry->machine.direct_pages);
	tap_ok(job_works(ferry), "a job works");
	ferry_close(ferry);
}

static void check_cheap_kernel(void)
{
	struct ferry *ferry;

	profile_write(100, 0.001, 0.5, 2);
	ferry = context_new();
	tap_ok(!nr_exchanged(ferry, FERRY_MOVER_AUTO, 0), "a cheap kernel: none are");
	tap_ok(nr_exchanged(ferry, FERRY_MOVER_EXCHANGE, 0) == NR_PAGES,
	       "unless the request demands it");
	tap_ok(nr_exchanged(ferry, FERRY_MOVER_AUTO, FERRY_MOVE_ALWAYS) == NR_PAGES,
	       "or wants other frames on the same node");
	tap_ok(ferry->machine.direct_pages == 1 << 16 && !call_is_planned(ferry, 2000),
	       "a cheap call: 2000 pages are a call (up to %u)", ferry->machine.direct_pages);
	tap_ok(job_works(ferry), "a job works");
	ferry_close(ferry);
}

/* Workers that add nothing are left asleep. */
static void check_workers(void)
{
	struct ferry *ferry;
	struct ferry_job *job;
	unsigned int nr;

	profile_write(1e6, 10, 1, 1);
	ferry = context_new();
	job = job_planned(ferry, FERRY_MOVER_AUTO, FERRY_MOVE_APART);
	nr = job->split.nr_lanes;
	job_free(job);
	tap_ok(nr == 1, "one worker takes all the bandwidth: one lane (%u)", nr);
	ferry_close(ferry);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		tap_skip("one CPU", "several workers copy faster: several lanes");
		return;
	}
	profile_write(1e6, 10, 1, 1000);
	ferry = context_new();
	job = job_planned(ferry, FERRY_MOVER_AUTO, FERRY_MOVE_APART);
	nr = job->split.nr_lanes;
	tap_ok(nr == MIN(2U, ferry->machine.nr_workers) || nr > 2,
	       "several workers copy faster: several lanes (%u)", nr);
	job_free(job);
	ferry_close(ferry);
}

static void check_none(void)
{
	struct ferry *ferry;

	setenv(PROFILE_VARIABLE, "none", 1);
	ferry = context_new();
	tap_ok(!ferry->model.followed && !ferry->machine.direct_pages &&
		       nr_exchanged(ferry, FERRY_MOVER_AUTO, 0) == NR_PAGES,
	       "without a profile the rules hold");
	ferry_close(ferry);
}

int main(void)
{
	struct ferry *ferry = context_new();
	bool batched = ferry->machine.exchange && ferry->machine.batched_flush;
	int fd = mkstemp(path);

	ferry_close(ferry);
	if (fd < 0)
		return 1;
	close(fd);
	if (!batched) {
		tap_plan(1);
		tap_skip("no exchange mover that flushes TLBs once per call",
			 "the profile is followed");
		unlink(path);
		return tap_done();
	}
	area = mmap(NULL, LEN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(area, LEN_BYTES, MADV_NOHUGEPAGE);
	memset(area, 7, LEN_BYTES);
	setenv(PROFILE_VARIABLE, path, 1);
	tap_plan(12);
	check_dear_kernel();
	check_cheap_kernel();
	check_workers();
	check_none();
	unlink(path);
	return tap_done();
}
