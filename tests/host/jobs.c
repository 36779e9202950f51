// SPDX-License-Identifier: LGPL-2.1-or-later
/* Jobs: what the header says of them, apart from the moving itself. */
#include <limits.h>
#include <poll.h>
#include <pthread.h>

#include "tests/host/tap.h"
#include "tests/testlib/moving.h"

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
	request.flags = FERRY_MOVE_FRESH;
	return request;
}

static struct ferry_range whole(void)
{
	return (struct ferry_range){mem, LEN, some_node()};
}

/* ---- refusals ---- */

static bool refused(const struct ferry_request *request, int error, const char *why)
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

static bool refuses_bad_requests(void)
{
	struct ferry_range range = whole(), two[2] = {range, range};
	const struct ferry_request good = request_of(&range);
	struct ferry_request bad;
	void *pages[1] = {mem};
	int nodes[1] = {some_node()}, far[1] = {1000};
	bool ok = true;

#define REFUSED(error, change) (bad = good, change, ok &= refused(&bad, error, #change))
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

static bool knows_sizes(void)
{
	struct {
		struct ferry_request request;
		uint64_t newer;
	} big = {.request = request_of(NULL)};
	struct ferry_range range = whole();
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
	ok = refused(&big.request, E2BIG, "a member from the future");
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

static bool readable(int fd, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

static bool all_settled(int otherwise)
{
	for (size_t i = 0; i < NR_PAGES; i++)
		if (status[i] != some_node() && status[i] != otherwise)
			return false;
	return true;
}

static bool says_when_it_ends(void)
{
	struct ferry_range range = whole();
	struct ferry_request request = request_of(&range);
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_job *job;
	bool ok;

	request.status = memset(status, 0x55, sizeof(status));
	if (ferry_submit(ferry, &request, &job))
		return false;
	ok = readable(ferry_job_fd(job), 60000);
	ok &= !ferry_job_wait(job, WAIT_NS) && !ferry_job_wait(job, 0);
	ok &= !ferry_job_result(job, &result) && adds_up(&result) && !result.error;
	ferry_job_close(job);
	return ok && all_settled(some_node()) && result.nr_pages == NR_PAGES;
}

/* Slow enough to be looked at: a MiB a second. */
static struct ferry_job *slow_job(uint64_t deadline_ns)
{
	struct ferry_range range = whole();
	struct ferry_request request = request_of(&range);
	struct ferry_job *job;

	request.status = memset(status, 0x55, sizeof(status));
	request.max_bytes_per_s = 1 << 20;
	request.chunk_bytes = 65536;
	request.nr_workers = 2;
	request.deadline_ns = deadline_ns;
	return ferry_submit(ferry, &request, &job) ? NULL : job;
}

static bool ends_early(struct ferry_job *job, int error)
{
	struct ferry_result result = FERRY_RESULT_INIT;
	bool ok = !ferry_job_wait(job, WAIT_NS) && !ferry_job_result(job, &result) &&
		  result.error == error && adds_up(&result) && result.nr_failed &&
		  result.pages_by_reason[FERRY_REASON_STOPPED] == result.nr_failed &&
		  all_settled(-ECANCELED);

	if (!ok)
		print_result(&result);
	ferry_job_close(job);
	return ok;
}

static bool can_be_cancelled(void)
{
	struct ferry_job *job = slow_job(0);
	struct ferry_result result = FERRY_RESULT_INIT;
	bool ok = job && ferry_job_wait(job, 0) == -ETIMEDOUT &&
		  ferry_job_wait(job, 1000000) == -ETIMEDOUT &&
		  ferry_job_result(job, &result) == -EBUSY && !readable(ferry_job_fd(job), 0);

	ferry_job_cancel(job);
	ferry_job_cancel(job);
	return ends_early(job, -ECANCELED) && ok;
}

static bool has_a_deadline(void)
{
	return ends_early(slow_job(50000000), -ETIMEDOUT);
}

static bool keeps_to_its_cap(void)
{
	struct ferry_job *job = slow_job(0);
	uint64_t start_ns = test_now_ns(), last = 0;
	bool ok = true;

	for (int i = 0; i < 30; i++) {
		struct ferry_progress progress;
		uint64_t most;

		usleep(10000);
		ferry_job_progress(job, &progress);
		/* Each lane may be a chunk ahead; the clock is read last, so it errs upwards. */
		most = (uint64_t)((double)(test_now_ns() - start_ns) / 1e9 * (1 << 20)) + 4 * 65536;
		ok &= progress.nr_done >= last && progress.nr_done <= progress.nr_pages &&
		      progress.nr_done * PAGE_BYTES <= most;
		last = progress.nr_done;
	}
	ferry_job_close(job);
	return ok && is_intact(mem, LEN, 3);
}

static bool close_ends_it(void)
{
	struct ferry_job *job = slow_job(0);

	if (!job)
		return false;
	ferry_job_close(job);
	ferry_job_close(NULL);
	return all_settled(-ECANCELED);
}

/* What waits for pages of a slow job hears of its own deadline and of a cancel all the same. */
static bool waiting_jobs_end(void)
{
	struct ferry_job *slow = slow_job(0), *late, *unwanted;
	struct ferry_range range = whole();
	struct ferry_request request = request_of(&range);
	bool ok;

	usleep(20000);
	request.nr_workers = 1;
	if (!slow || ferry_submit(ferry, &request, &unwanted))
		return false;
	request.deadline_ns = 20000000;
	if (ferry_submit(ferry, &request, &late))
		return false;
	ferry_job_cancel(unwanted);
	ok = !ferry_job_wait(late, 5000000000ULL) && !ferry_job_wait(unwanted, 5000000000ULL);
	ferry_job_close(slow);
	ferry_job_close(late);
	ferry_job_close(unwanted);
	return ok;
}

/* Slow enough never to end by itself here. */
static struct ferry_job *endless_job(char *addr, size_t len_bytes)
{
	struct ferry_range range = {addr, len_bytes, some_node()};
	struct ferry_request request = request_of(&range);
	struct ferry_job *job;

	request.max_bytes_per_s = 4096;
	request.chunk_bytes = 65536;
	return ferry_submit(ferry, &request, &job) ? NULL : job;
}

static bool has_ended(struct ferry_job *job)
{
	return !ferry_job_wait(job, 0);
}

/*
 * More jobs than workers are held back by their caps, or stand in line for the pages of one that
 * is: another job is moved all the same.
 */
static bool waiting_jobs_hold_nobody(void)
{
	enum { NR = 24, SHARE = LEN / (NR + 1) / PAGE_BYTES * PAGE_BYTES };
	struct ferry_range rest = {mem + NR * SHARE, SHARE, some_node()};
	struct ferry_range first = {mem, SHARE, some_node()};
	struct ferry_request request = request_of(&rest), in_line = request_of(&first);
	struct ferry_job *slow[NR], *waiting[NR], *job;
	bool ok = true;

	for (size_t i = 0; i < NR; i++)
		if (!(slow[i] = endless_job(mem + i * SHARE, SHARE)) ||
		    ferry_submit(ferry, &in_line, &waiting[i]))
			return false;
	if (ferry_submit(ferry, &request, &job))
		return false;
	ok = !ferry_job_wait(job, WAIT_NS);
	ferry_job_close(job);
	for (size_t i = 0; i < NR; i++)
		ok &= !has_ended(slow[i]) && !has_ended(waiting[i]);
	ferry_job_cancel(waiting[NR / 2]);
	ok &= !ferry_job_wait(waiting[NR / 2], WAIT_NS) && !has_ended(waiting[0]);
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

/* In a context that knows nothing of this machine's speed yet: it begins with small slices. */
static bool stops_at_a_failure(void)
{
	struct ferry_range range = whole();
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

/* A list in falling order, every other page, with a hole: statuses are in its order. */
static bool takes_lists(void)
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
	request.flags = FERRY_MOVE_FRESH;
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

static bool takes_nothing(void)
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

static void *many(void *arg)
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

static void take_bytes(void *arg, const char *name, uint64_t value)
{
	if (!strcmp(name, "bytes"))
		*(uint64_t *)arg = value;
}

/* A total that somebody looks at meanwhile only grows. */
static bool counters_only_grow(void)
{
	uint64_t before = 0, now = 0;
	bool ok = true;

	for (int i = 0; i < 1000 && ok; i++) {
		ok = !ferry_engine_counters(ferry, take_bytes, &now) && now >= before;
		before = now;
	}
	return ok;
}

static bool many_at_once(void)
{
	pthread_t threads[4];
	bool ok;

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, many, (void *)i);
	ok = counters_only_grow();
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *bad;

		pthread_join(threads[i], &bad);
		ok &= !bad;
	}
	return ok && is_intact(mem, LEN, 3);
}

struct null_counts {
	uint64_t descriptors, left_bytes;
};

static void take_count(void *arg, const char *name, uint64_t value)
{
	struct null_counts *counts = arg;

	if (!strcmp(name, "descriptors"))
		counts->descriptors = value;
	else if (!strcmp(name, "fallback.null.bytes"))
		counts->left_bytes = value;
}

/* A device that copies nothing leaves everything to the CPU: the two accounts are of the same. */
static bool engine_counts_agree(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_range range = whole();
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
	     !ferry_engine_counters(null, take_count, &counts);
	tap_note("%lu descriptors, %lu bytes left to the CPU; the job says %lu",
		 (unsigned long)counts.descriptors, (unsigned long)counts.left_bytes,
		 (unsigned long)result.bytes_by_cpu);
	ok &= counts.left_bytes == result.bytes_by_cpu && !result.bytes_by_engine &&
	      !counts.descriptors == !result.bytes_by_cpu;
	ferry_job_close(job);
	ferry_close(null);
	return ok && is_intact(mem, LEN, 3);
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{"bad requests are refused, each with its error", refuses_bad_requests},
	{"structures of other versions", knows_sizes},
	{"eventfd, wait, result and statuses at the end", says_when_it_ends},
	{"cancel", can_be_cancelled},
	{"deadline", has_a_deadline},
	{"bandwidth cap and progress", keeps_to_its_cap},
	{"close while it runs", close_ends_it},
	{"deadline and cancel of jobs that wait for another", waiting_jobs_end},
	{"jobs that wait leave the workers to others", waiting_jobs_hold_nobody},
	{"FERRY_MOVE_STOP", stops_at_a_failure},
	{"a list, in its own order", takes_lists},
	{"no pages at all", takes_nothing},
	{"many at once", many_at_once},
	{"the engine's counters and the job's agree", engine_counts_agree},
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
