// SPDX-License-Identifier: LGPL-2.1-or-later
/* Jobs: errors, waiting, ends, accounts and statuses, as the public header describes them. */
#include <limits.h>
#include <poll.h>
#include <pthread.h>

#include "base/sys.h"
#include "lib/core/context.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN      (32UL << 20)
#define NR_PAGES (LEN / PAGE_BYTES)

static struct ferry *ferry;
static char *mem;
static int status[NR_PAGES];

static struct ferry_request request_of(const struct ferry_range *range)
{
	struct ferry_request request = FERRY_REQUEST_INIT;

	request.ranges = range;
	request.nr_ranges = 1;
	request.flags = FERRY_MOVE_ALWAYS;
	return request;
}

static struct ferry_range range_of_all(void)
{
	return (struct ferry_range){mem, LEN, some_node()};
}

/* ---- refusals ---- */

static bool request_is_refused(const struct ferry_request *request, int error, const char *why)
{
	struct ferry_job *job = (struct ferry_job *)1;
	int err = ferry_submit(ferry, request, &job);

	if (err == -error && !job)
		return true;
	tap_note("%s: %d (%s) instead of %d", why, err, strerror(-err), -error);
	if (!err)
		ferry_job_close(job);
	return false;
}

static bool test_bad_requests(void)
{
	struct ferry_range range = range_of_all(), two[2] = {range, range};
	const struct ferry_request good = request_of(&range);
	struct ferry_request bad;
	void *pages[1] = {mem};
	int nodes[1] = {some_node()}, far[1] = {1000};
	bool ok = true;

#define REFUSED(error, change) (bad = good, change, ok &= request_is_refused(&bad, error, #change))
	REFUSED(EINVAL, bad.size = 0);
	REFUSED(EINVAL, bad.flags = 1U << 30);
	REFUSED(EINVAL, bad.nr_ranges = 0);
	REFUSED(EINVAL, (bad.pages = pages, bad.nodes = nodes, bad.nr_pages = 1));
	REFUSED(EINVAL, bad.chunk_bytes = 12288);
	REFUSED(EINVAL, bad.chunk_bytes = 2048);
	REFUSED(EINVAL, bad.chunk_bytes = HUGE_BYTES * 2);
	REFUSED(EINVAL, bad.mover = (enum ferry_mover)77);
	REFUSED(EINVAL, (two[1].addr = (void *)-4096L, two[1].len_bytes = 8192, bad.ranges = two,
			 bad.nr_ranges = 2));
	REFUSED(EFAULT, bad.ranges = (struct ferry_range *)16);
	REFUSED(EFAULT,
		(bad.nr_ranges = 0, bad.pages = (void **)16, bad.nodes = nodes, bad.nr_pages = 1));
	REFUSED(EFAULT,
		(bad.nr_ranges = 0, bad.pages = pages, bad.nodes = (int *)16, bad.nr_pages = 1));
	REFUSED(ENODEV, (two[0].node = 1000, bad.ranges = two));
	REFUSED(ENODEV, (two[0].node = -1, bad.ranges = two));
	REFUSED(ENODEV, (bad.nr_ranges = 0, bad.pages = pages, bad.nodes = far, bad.nr_pages = 1));
	REFUSED(ESRCH, bad.pid = INT_MAX);
#undef REFUSED
	return ok;
}

static bool test_struct_sizes(void)
{
	struct {
		struct ferry_request request;
		uint64_t newer;
	} big = {.request = request_of(NULL)};
	struct ferry_range range = range_of_all();
	struct ferry_job *job;
	struct {
		struct ferry_result result;
		uint64_t behind;
	} out = {.behind = 0x55};
	bool ok;

	range.len_bytes = HUGE_BYTES;
	big.request.ranges = &range;
	big.request.size = sizeof(big);
	big.newer = 1;
	ok = request_is_refused(&big.request, E2BIG, "a member that the library does not know");
	big.newer = 0;
	if (ferry_submit(ferry, &big.request, &job))
		return false;
	ferry_job_wait(job, WAIT_NS);
	out.result.size = 0;
	ok &= ferry_job_result(job, &out.result) == -EINVAL;
	out.result.size = offsetof(struct ferry_result, nr_failed);
	out.result.nr_failed = 77;
	ok &= !ferry_job_result(job, &out.result) && out.result.nr_failed == 77 &&
	      out.result.nr_pages == PAGES_PER_HUGE;
	out.result.size = sizeof(out);
	ok &= !ferry_job_result(job, &out.result) && out.behind == 0x55;
	ferry_job_close(job);
	return ok;
}

/* ---- the end of a job ---- */

static bool fd_is_readable(int fd, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

static bool statuses_are_settled(int otherwise)
{
	for (size_t i = 0; i < NR_PAGES; i++)
		if (status[i] != some_node() && status[i] != otherwise)
			return false;
	return true;
}

static bool test_end(void)
{
	struct ferry_range range = range_of_all();
	struct ferry_request request = request_of(&range);
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_job *job;
	bool ok;

	request.status = memset(status, 0x55, sizeof(status));
	if (ferry_submit(ferry, &request, &job))
		return false;
	ok = fd_is_readable(ferry_job_fd(job), 60000);
	ok &= !ferry_job_wait(job, WAIT_NS) && !ferry_job_wait(job, 0);
	ok &= !ferry_job_result(job, &result) && adds_up(&result) && !result.error;
	ferry_job_close(job);
	return ok && statuses_are_settled(some_node()) && result.nr_pages == NR_PAGES;
}

static bool eventfd_fails(long nr, const long args[6] __maybe_unused, long *ret)
{
	*ret = -EMFILE;
	return nr == SYS_eventfd2;
}

/* A job needs a descriptor only if it is asked for, also after its end. */
static bool test_late_fd(void)
{
	struct ferry_range range = range_of_all();
	struct ferry_request request = request_of(&range);
	struct ferry_job *job;
	bool ok;
	int fd;

	__atomic_store_n(&sys_hook, eventfd_fails, __ATOMIC_RELEASE);
	if (ferry_submit(ferry, &request, &job))
		return false;
	ok = ferry_job_fd(job) == -EMFILE && !ferry_job_wait(job, WAIT_NS) &&
	     ferry_job_fd(job) == -EMFILE;
	__atomic_store_n(&sys_hook, NULL, __ATOMIC_RELEASE);
	fd = ferry_job_fd(job);
	ok = ok && fd_is_readable(fd, 0) && ferry_job_fd(job) == fd;
	ferry_job_close(job);
	return ok;
}

/* Slow enough to be observed: 1 MiB per second. */
static struct ferry_job *submit_slow_job(uint64_t deadline_ns)
{
	struct ferry_range range = range_of_all();
	struct ferry_request request = request_of(&range);
	struct ferry_job *job;

	request.status = memset(status, 0x55, sizeof(status));
	request.max_bytes_per_s = 1 << 20;
	request.chunk_bytes = 65536;
	request.nr_workers = 2;
	request.deadline_ns = deadline_ns;
	return ferry_submit(ferry, &request, &job) ? NULL : job;
}

static bool job_ends_early(struct ferry_job *job, int error)
{
	struct ferry_result result = FERRY_RESULT_INIT;
	bool ok = !ferry_job_wait(job, WAIT_NS) && !ferry_job_result(job, &result) &&
		  result.error == error && adds_up(&result) && result.nr_failed &&
		  result.pages_by_reason[FERRY_REASON_STOPPED] == result.nr_failed &&
		  statuses_are_settled(-ECANCELED);

	if (!ok)
		print_result(&result);
	ferry_job_close(job);
	return ok;
}

static bool test_cancel(void)
{
	struct ferry_job *job = submit_slow_job(0);
	struct ferry_result result = FERRY_RESULT_INIT;
	bool ok = job && ferry_job_wait(job, 0) == -ETIMEDOUT &&
		  ferry_job_wait(job, 1000000) == -ETIMEDOUT &&
		  ferry_job_result(job, &result) == -EBUSY && !fd_is_readable(ferry_job_fd(job), 0);

	ferry_job_cancel(job);
	ferry_job_cancel(job);
	return job_ends_early(job, -ECANCELED) && ok;
}

static bool test_deadline(void)
{
	return job_ends_early(submit_slow_job(50000000), -ETIMEDOUT);
}

static bool test_bandwidth_cap(void)
{
	/* Read first: time that passes before the job begins only makes `most` higher. */
	uint64_t start_ns = test_now_ns(), last = 0;
	struct ferry_job *job = submit_slow_job(0);
	bool ok = job;

	for (int i = 0; ok && i < 30; i++) {
		struct ferry_progress progress;
		uint64_t most;

		usleep(10000);
		ferry_job_progress(job, &progress);
		/* Each lane may be a chunk ahead. The clock is read last: `most` is not too low. */
		most = (uint64_t)((double)(test_now_ns() - start_ns) / 1e9 * (1 << 20)) + 4 * 65536;
		ok &= progress.nr_done >= last && progress.nr_done <= progress.nr_pages &&
		      progress.nr_done * PAGE_BYTES <= most;
		last = progress.nr_done;
	}
	ferry_job_close(job);
	return ok && is_intact(mem, LEN, 3);
}

static bool test_close(void)
{
	struct ferry_job *job = submit_slow_job(0);

	if (!job)
		return false;
	ferry_job_close(job);
	ferry_job_close(NULL);
	return statuses_are_settled(-ECANCELED);
}

/* So slow that it does not end by itself during the test. */
static struct ferry_job *submit_endless_job(char *addr, size_t len_bytes)
{
	struct ferry_range range = {addr, len_bytes, some_node()};
	struct ferry_request request = request_of(&range);
	struct ferry_job *job;

	request.max_bytes_per_s = 4096;
	request.chunk_bytes = 65536;
	return ferry_submit(ferry, &request, &job) ? NULL : job;
}

/* A job that waits for the pages of another one still ends at its deadline, or if cancelled. */
static bool test_waiting_jobs_end(void)
{
	struct ferry_job *slow = submit_endless_job(mem, LEN), *late, *unwanted;
	struct ferry_range range = range_of_all();
	struct ferry_request request = request_of(&range);
	bool ok;

	request.nr_workers = 1;
	if (!slow || ferry_submit(ferry, &request, &unwanted))
		return false;
	request.deadline_ns = 20000000;
	if (ferry_submit(ferry, &request, &late))
		return false;
	ferry_job_cancel(unwanted);
	/* They end although the one that they wait for has not. */
	ok = !ferry_job_wait(late, WAIT_NS) && !ferry_job_wait(unwanted, WAIT_NS) &&
	     ferry_job_wait(slow, 0);
	ferry_job_close(slow);
	ferry_job_close(late);
	ferry_job_close(unwanted);
	return ok;
}

/*
 * A job is cancelled at the moment when the one that it waits for ends. Each job that counts its
 * pages among those that pools need takes them back.
 */
static bool test_cancel_meets_grant(void)
{
	struct ferry_range range = range_of_all();
	struct ferry_request request = request_of(&range);
	bool ok = true;

	for (int i = 0; i < 500 && ok; i++) {
		struct ferry_job *first = submit_endless_job(mem, LEN), *second;

		if (!first || ferry_submit(ferry, &request, &second))
			return false;
		ferry_job_cancel(i % 2 ? first : second);
		ferry_job_cancel(i % 2 ? second : first);
		ok = !ferry_job_wait(first, WAIT_NS) && !ferry_job_wait(second, WAIT_NS);
		ferry_job_close(first);
		ferry_job_close(second);
	}
	return ok && !atomic_load(&ferry->pools.active_pages);
}

static bool job_has_ended(struct ferry_job *job)
{
	return !ferry_job_wait(job, 0);
}

/*
 * More jobs than there are workers wait: for their bandwidth caps, or for the pages of such a job.
 * Another job still runs.
 */
static bool test_waiting_jobs_hold_no_worker(void)
{
	enum { NR = 24, SHARE = LEN / (NR + 1) / PAGE_BYTES * PAGE_BYTES };
	struct ferry_range rest = {mem + NR * SHARE, SHARE, some_node()};
	struct ferry_range first = {mem, SHARE, some_node()};
	struct ferry_request request = request_of(&rest), in_line = request_of(&first);
	struct ferry_job *slow[NR], *waiting[NR], *job;
	bool ok = true;

	for (size_t i = 0; i < NR; i++)
		if (!(slow[i] = submit_endless_job(mem + i * SHARE, SHARE)) ||
		    ferry_submit(ferry, &in_line, &waiting[i]))
			return false;
	if (ferry_submit(ferry, &request, &job))
		return false;
	ok = !ferry_job_wait(job, WAIT_NS);
	ferry_job_close(job);
	for (size_t i = 0; i < NR; i++)
		ok &= !job_has_ended(slow[i]) && !job_has_ended(waiting[i]);
	ferry_job_cancel(waiting[NR / 2]);
	ok &= !ferry_job_wait(waiting[NR / 2], WAIT_NS) && !job_has_ended(waiting[0]);
	for (size_t i = 0; i < NR; i++)
		ferry_job_close(slow[i]);
	for (size_t i = 0; i < NR; i++) {
		struct ferry_result result = FERRY_RESULT_INIT;

		ok &= !ferry_job_wait(waiting[i], WAIT_NS) &&
		      !ferry_job_result(waiting[i], &result) &&
		      result.error == (i == NR / 2 ? -ECANCELED : 0);
		ferry_job_close(waiting[i]);
	}
	return ok && is_intact(mem, LEN, 3);
}

/* In a new context, which does not know the speed of the machine and begins with small slices. */
static bool test_stop_at_failure(void)
{
	struct ferry_range range = range_of_all();
	struct ferry_request request = request_of(&range);
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry *fresh = open_context(NULL);
	struct ferry_job *job;
	bool ok;

	madvise(mem, HUGE_BYTES, MADV_DONTNEED);
	request.flags |= FERRY_MOVE_STOP;
	request.nr_workers = 1;
	request.mover = FERRY_MOVER_KERNEL;
	request.status = memset(status, 0x55, sizeof(status));
	if (ferry_submit(fresh, &request, &job))
		return false;
	ok = !ferry_job_wait(job, WAIT_NS) && !ferry_job_result(job, &result) && result.error &&
	     adds_up(&result) && result.pages_by_reason[FERRY_REASON_STOPPED] &&
	     status[0] == -ENOENT && status[NR_PAGES - 1] == -ECANCELED;
	if (!ok)
		print_result(&result);
	ferry_job_close(job);
	ferry_close(fresh);
	fill(mem, LEN, 3);
	return ok;
}

/* A list in descending order, every other page, with a hole. Statuses are in the list's order. */
static bool test_list(void)
{
	enum { NR = 2048 };
	static void *pages[NR];
	static int nodes[NR], where[NR];
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_job *job;
	bool ok;

	for (size_t i = 0; i < NR; i++) {
		pages[i] = mem + (NR - 1 - i) * 2 * PAGE_BYTES + i % 100;
		nodes[i] = some_node();
	}
	madvise(mem + 10 * PAGE_BYTES, PAGE_BYTES, MADV_DONTNEED);
	request.pages = pages;
	request.nodes = nodes;
	request.nr_pages = NR;
	request.status = where;
	request.flags = FERRY_MOVE_ALWAYS;
	request.mover = FERRY_MOVER_EXCHANGE;
	if (ferry_submit(ferry, &request, &job))
		return false;
	ok = !ferry_job_wait(job, WAIT_NS) && !ferry_job_result(job, &result) && adds_up(&result);
	ferry_job_close(job);
	for (size_t i = 0; i < NR; i++)
		ok &= where[i] == (i == NR - 1 - 5 ? -ENOENT : some_node());
	fill(mem + 10 * PAGE_BYTES, PAGE_BYTES, 0);
	fill(mem, LEN, 3);
	return ok && result.nr_failed == 1;
}

/* Each second page, as a range of its own, from the last to the first. */
static bool test_ranges_descending(void)
{
	enum { NR = 2000 };
	static struct ferry_range ranges[NR + 1];
	static int node_of[NR];
	struct ferry_request request = request_of(ranges);
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_job *job;
	bool ok;

	for (size_t i = 0; i < NR; i++)
		ranges[i] = (struct ferry_range){mem + (NR - 1 - i) * 2 * PAGE_BYTES, PAGE_BYTES,
						 some_node()};
	/* A range without bytes overlaps nothing, wherever it is. */
	ranges[NR] = (struct ferry_range){mem + 100 * PAGE_BYTES, 0, some_node()};
	request.nr_ranges = NR + 1;
	request.status = memset(node_of, 0x55, sizeof(node_of));
	if (ferry_submit(ferry, &request, &job))
		return false;
	ok = !ferry_job_wait(job, WAIT_NS) && !ferry_job_result(job, &result) && adds_up(&result) &&
	     result.nr_pages == NR && !result.nr_failed;
	ferry_job_close(job);
	for (size_t i = 0; i < NR; i++)
		ok &= node_of[i] == some_node();
	ranges[NR] = (struct ferry_range){mem + 100 * PAGE_BYTES, 1, some_node()};
	return request_is_refused(&request, EINVAL, "two ranges that overlap") && ok &&
	       is_intact(mem, LEN, 3);
}

/* As soon as ferry_job_result() gives a result, that is the final one. */
static bool test_result_is_whole(void)
{
	struct ferry_range range = {mem, 64 * PAGE_BYTES, some_node()};
	struct ferry_request request = request_of(&range);
	unsigned int nr_early = 0;
	bool ok = true;

	for (int i = 0; i < 4000 && ok; i++) {
		struct ferry_result first = FERRY_RESULT_INIT, last = FERRY_RESULT_INIT;
		struct ferry_job *job;

		if (ferry_submit(ferry, &request, &job))
			return false;
		while (ferry_job_result(job, &first) == -EBUSY)
			nr_early++;
		ok = !ferry_job_wait(job, WAIT_NS) && !ferry_job_result(job, &last) &&
		     !memcmp(&first, &last, sizeof(first));
		ferry_job_close(job);
	}
	tap_note("asked %u times before the end", nr_early);
	return ok;
}

static size_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long size = 0, resident = 0;

	if (!file || fscanf(file, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return resident * PAGE_BYTES;
}

/* A cap beyond all memory costs no more than one of all memory. */
static bool test_huge_pool_cap(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct ferry_range range = {mem, 4UL << 20, some_node()};
	struct ferry_request request = request_of(&range);
	size_t before = resident_bytes(), after;
	struct ferry_job *job;
	struct ferry *capped;
	bool ok;

	options.pool_cap_bytes = 10UL << 40;
	capped = open_context(&options);
	ok = !ferry_submit(capped, &request, &job) && !ferry_job_wait(job, WAIT_NS);
	after = resident_bytes();
	tap_note("%zu MiB more", after > before ? (after - before) >> 20 : 0);
	ferry_job_close(job);
	ferry_close(capped);
	return ok && after < before + (400UL << 20) && is_intact(mem, LEN, 3);
}

static bool test_no_pages(void)
{
	struct ferry_range range = {mem, 0, some_node()};
	struct ferry_request request = request_of(&range);
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_job *job;
	bool ok;

	if (ferry_submit(ferry, &request, &job))
		return false;
	ok = !ferry_job_wait(job, WAIT_NS) && !ferry_job_result(job, &result) && !result.nr_pages &&
	     !result.error;
	ferry_job_close(job);
	return ok;
}

static void *submit_many(void *arg)
{
	struct ferry_job *jobs[50];
	intptr_t bad = 0;

	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		struct ferry_range range = {mem + (i * 37 + (size_t)arg) % 64 * 524288, 524288,
					    some_node()};
		struct ferry_request request = request_of(&range);

		if (ferry_submit(ferry, &request, &jobs[i]))
			return (void *)-1;
	}
	for (size_t i = ARRAY_SIZE(jobs); i-- > 0;) {
		struct ferry_result result = FERRY_RESULT_INIT;

		bad += ferry_job_wait(jobs[i], WAIT_NS) || ferry_job_result(jobs[i], &result) ||
		       !adds_up(&result) || result.nr_failed;
		ferry_job_close(jobs[i]);
	}
	return (void *)bad;
}

static void counter_store_bytes(void *arg, const char *name, uint64_t value)
{
	if (!strcmp(name, "bytes"))
		*(uint64_t *)arg = value;
}

/* A total that is read while jobs run never decreases. */
static bool counters_only_increase(void)
{
	uint64_t before = 0, now = 0;
	bool ok = true;

	for (int i = 0; i < 1000 && ok; i++) {
		ok = !ferry_engine_counters(ferry, counter_store_bytes, &now) && now >= before;
		before = now;
	}
	return ok;
}

static bool test_concurrent_jobs(void)
{
	pthread_t threads[4];
	bool ok;

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, submit_many, (void *)i);
	ok = counters_only_increase();
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *bad;

		pthread_join(threads[i], &bad);
		ok &= !bad;
	}
	return ok && is_intact(mem, LEN, 3);
}

struct null_counts {
	uint64_t descriptors, cpu_bytes;
};

static void counter_store_null(void *arg, const char *name, uint64_t value)
{
	struct null_counts *counts = arg;

	if (!strcmp(name, "descriptors"))
		counts->descriptors = value;
	else if (!strcmp(name, "fallback.null.bytes"))
		counts->cpu_bytes = value;
}

/* If the device copies nothing, the CPU copies everything: both accounts must agree. */
static bool test_engine_counters(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_range range = range_of_all();
	struct ferry_request request = request_of(&range);
	struct null_counts counts = {0};
	struct ferry *null;
	struct ferry_job *job = NULL;
	bool ok;

	options.engine = "dsa:model,null";
	if (ferry_open(&null, &options))
		return false;
	ok = !ferry_submit(null, &request, &job);
	ok = ok && !ferry_job_wait(job, WAIT_NS) && !ferry_job_result(job, &result) &&
	     !ferry_engine_counters(null, counter_store_null, &counts);
	tap_note("%lu descriptors, %lu bytes copied by the CPU, %lu by the job's result",
		 (unsigned long)counts.descriptors, (unsigned long)counts.cpu_bytes,
		 (unsigned long)result.bytes_by_cpu);
	ok &= counts.cpu_bytes == result.bytes_by_cpu && !result.bytes_by_engine &&
	      !counts.descriptors == !result.bytes_by_cpu;
	ferry_job_close(job);
	ferry_close(null);
	return ok && is_intact(mem, LEN, 3);
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{"bad requests are refused, each with its error", test_bad_requests},
	{"structures of newer and older versions", test_struct_sizes},
	{"eventfd, wait, result and statuses at the end", test_end},
	{"an eventfd is made when it is asked for", test_late_fd},
	{"cancel", test_cancel},
	{"deadline", test_deadline},
	{"bandwidth cap and progress", test_bandwidth_cap},
	{"close a running job", test_close},
	{"deadline and cancel of jobs that wait for another", test_waiting_jobs_end},
	{"a cancel meets the end of the job that is waited for", test_cancel_meets_grant},
	{"jobs that wait hold no worker", test_waiting_jobs_hold_no_worker},
	{"FERRY_MOVE_STOP", test_stop_at_failure},
	{"a list in descending order", test_list},
	{"ranges in descending order", test_ranges_descending},
	{"a result is whole as soon as there is one", test_result_is_whole},
	{"a pool cap beyond all memory", test_huge_pool_cap},
	{"no pages at all", test_no_pages},
	{"concurrent jobs", test_concurrent_jobs},
	{"the counters of engine and job agree", test_engine_counters},
};

int main(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

	options.nr_workers = 4;
	ferry = open_context(&options);
	mem = memory_new(LEN, false);
	fill(mem, LEN, 3);
	tap_plan(ARRAY_SIZE(tests));
	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		watchdog(90, tests[i].name);
		tap_ok(tests[i].run(), "%s", tests[i].name);
	}
	ferry_close(ferry);
	return tap_done();
}
