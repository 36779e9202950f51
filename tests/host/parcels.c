// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The program does something at the one moment that matters: while certain pages are in flight, or
 * right before they are taken out. Hooks hold the library there, so no luck is needed.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN  (4UL << 20)
#define HALF (LEN / 2)
#define SEED 12

static struct ferry *ferry;
static char *mem;
static atomic_int reader_tid;

/* ---- the library is held between take-out and put-in, outside its gates ---- */

enum { HOLD_OFF, HOLD_ARMED, HOLD_REFUSED, HOLD_HELD, HOLD_RELEASED };

static atomic_uint hold;
static atomic_bool hold_second; /* the second half waits until this is false again */
static void (*before_take_out)(void);
static atomic_uintptr_t zero_fails;   /* this page's first zero page fails */
static atomic_uintptr_t put_in_fails; /* there is no memory to put in this page */
static atomic_uint nr_put_in_failed;

static void yield(void)
{
	sys_raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

static char thread_state(int tid)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (file)
		fclose(file);
	return state;
}

/*
 * A thread carries a page away by mremap(2) while a lane is inside `move_gate`. Its event is unread
 * as long as the lane stays there.
 */
static struct {
	pthread_t thread;
	_Atomic(void *) from, to;
	atomic_int flags;
	atomic_uint state;
	atomic_int tid;
	atomic_int nr_enoent;       /* so many calls that put in the page do not find its mapping */
	atomic_bool by_copy;        /* MOVE refuses the page, so these are calls of COPY */
	_Atomic(void *) reads_late; /* the watcher reads events once a thread reads here */
	atomic_bool after_scan;     /* it goes after a lane's scan of the second half */
	atomic_int scanner;         /* that lane's thread */
	atomic_bool done;
} carry;

enum { CARRY_OFF, CARRY_READY, CARRY_BEGUN };

static void *carry_run(void *arg __maybe_unused)
{
	while (atomic_load(&carry.state) != CARRY_BEGUN)
		yield();
	atomic_store(&carry.tid, (int)sys_raw(SYS_gettid, 0, 0, 0, 0, 0, 0));
	arg = mremap(carry.from, PAGE_BYTES, PAGE_BYTES,
		     MREMAP_MAYMOVE | MREMAP_FIXED | carry.flags, carry.to);
	atomic_store(&carry.done, true);
	return arg;
}

/* Returns once the page is elsewhere, and the thread waits until its event has been read. */
static void carry_now(void)
{
	unsigned int ready = CARRY_READY;

	if (!atomic_compare_exchange_strong(&carry.state, &ready, CARRY_BEGUN))
		return;
	while (!atomic_load(&carry.done) &&
	       (!atomic_load(&carry.tid) || thread_state(atomic_load(&carry.tid)) != 'D'))
		yield();
}

static bool carry_prepare(void *from, void *to)
{
	carry.from = from;
	carry.to = to;
	atomic_store(&carry.tid, 0);
	atomic_store(&carry.done, false);
	atomic_store(&carry.scanner, 0);
	atomic_store(&carry.state, CARRY_READY);
	return !pthread_create(&carry.thread, NULL, carry_run, NULL);
}

static bool carry_ends(void)
{
	void *got;

	return atomic_load(&carry.state) == CARRY_BEGUN && !pthread_join(carry.thread, &got) &&
	       got == carry.to;
}

/* What the kernel answers if mremap(2) comes between its looks for events and for the mapping. */
static bool carry_refuses(uintptr_t dst, bool copy, long *ret)
{
	if (dst != (uintptr_t)carry.from || atomic_load(&carry.nr_enoent) <= 0)
		return false;
	carry_now();
	*ret = copy == carry.by_copy ? -ENOENT : -EINVAL;
	if (copy == carry.by_copy)
		atomic_fetch_sub(&carry.nr_enoent, 1);
	return true;
}

/* The lane looks at the threads between its scan and its take-out, outside its gates. */
static void carry_after_scan(long nr, bool scans)
{
	int tid = (int)sys_raw(SYS_gettid, 0, 0, 0, 0, 0, 0);

	if (scans && tid != (int)sys_raw(SYS_getpid, 0, 0, 0, 0, 0, 0))
		atomic_store(&carry.scanner, tid);
	if (nr != SYS_pread64 || tid != atomic_load(&carry.scanner))
		return;
	carry_now();
	while (!atomic_load(&carry.done))
		yield();
	carry.after_scan = false;
}

/* The watcher reads when two events wait, and serves the reader once mremap(2) has returned. */
static void carry_reads_late(long nr, const long args[6])
{
	const struct uffdio_zeropage *zero = (const void *)args[2];

	if (nr == SYS_read && args[2] >= (long)sizeof(struct uffd_msg) && atomic_load(&carry.tid))
		while (!atomic_load(&carry.done) &&
		       (!atomic_load(&reader_tid) || thread_state(atomic_load(&reader_tid)) == 'R'))
			yield();
	if (nr == SYS_ioctl && (unsigned int)args[1] == UFFDIO_ZEROPAGE &&
	    zero->range.start == (uintptr_t)carry.reads_late)
		while (!atomic_load(&carry.done))
			yield();
}

static bool hook_move(struct uffdio_move *move, long *ret)
{
	if (carry_refuses(move->dst, false, ret))
		return true;
	if (move->src == (uintptr_t)mem && before_take_out) {
		before_take_out();
		before_take_out = NULL;
	}
	/* EAGAIN makes the lane leave the gate and yield. */
	if (move->dst == (uintptr_t)mem && atomic_load(&hold) == HOLD_ARMED) {
		atomic_store(&hold, HOLD_REFUSED);
		*ret = -EAGAIN;
		return true;
	}
	if (put_in_fails >= move->dst && put_in_fails < move->dst + move->len) {
		*ret = -ENOMEM;
		return true;
	}
	return false;
}

static bool hook_ioctl(unsigned int request, void *arg, long *ret)
{
	if (request == UFFDIO_MOVE)
		return hook_move(arg, ret);
	if (request == UFFDIO_COPY && carry_refuses(((struct uffdio_copy *)arg)->dst, true, ret))
		return true;
	if (request == UFFDIO_COPY && ((struct uffdio_copy *)arg)->dst == put_in_fails) {
		atomic_fetch_add(&nr_put_in_failed, 1);
		*ret = -ENOMEM;
		return true;
	}
	if (request == UFFDIO_ZEROPAGE && atomic_load(&zero_fails) &&
	    ((struct uffdio_zeropage *)arg)->range.start == atomic_load(&zero_fails)) {
		atomic_store(&zero_fails, 0);
		*ret = -ENOMEM;
		return true;
	}
	return false;
}

static bool is_second_half(uintptr_t at)
{
	return at >= (uintptr_t)mem + HALF && at < (uintptr_t)mem + LEN;
}

static bool flight_hook(long nr, const long args[6], long *ret)
{
	/* The lane's look at the second half. The plan, in the main thread, looks too. */
	if (((nr == SYS_ioctl && (unsigned long)args[1] == PAGEMAP_SCAN &&
	      is_second_half(((const struct pm_scan_arg *)args[2])->start)) ||
	     (nr == SYS_pread64 && is_second_half((uintptr_t)args[3] / 8 * PAGE_BYTES))) &&
	    sys_raw(SYS_gettid, 0, 0, 0, 0, 0, 0) != sys_raw(SYS_getpid, 0, 0, 0, 0, 0, 0))
		while (atomic_load(&hold_second))
			yield();
	if (carry.reads_late)
		carry_reads_late(nr, args);
	if (carry.after_scan)
		carry_after_scan(
			nr, nr == SYS_ioctl && (unsigned long)args[1] == PAGEMAP_SCAN &&
				    is_second_half(((const struct pm_scan_arg *)args[2])->start));
	if (nr == SYS_ioctl)
		return hook_ioctl((unsigned int)args[1], (void *)args[2], ret);
	if (nr == SYS_sched_yield && atomic_load(&hold) == HOLD_REFUSED) {
		atomic_store(&hold, HOLD_HELD);
		while (atomic_load(&hold) == HOLD_HELD)
			yield();
	}
	return false;
}

/* Moves the memory. The first half is in flight when this returns. */
static struct ferry_job *start_and_hold(void)
{
	struct move move = {.ferry = ferry,
			    .addr = mem,
			    .len = LEN,
			    .mover = FERRY_MOVER_EXCHANGE,
			    .chunk_bytes = HUGE_BYTES,
			    .nr_workers = 1};
	struct ferry_job *job;

	atomic_store(&hold, HOLD_ARMED);
	if (move_submit(&move, &job))
		return NULL;
	while (atomic_load(&hold) != HOLD_HELD)
		sched_yield();
	return job;
}

static bool job_ends(struct ferry_job *job)
{
	bool ok;

	atomic_store(&hold, HOLD_RELEASED);
	ok = !ferry_job_wait(job, WAIT_NS);
	ferry_job_close(job);
	return ok;
}

/*
 * Each test has memory of its own: for a while nothing is taken out where the program has discarded
 * pages.
 */
static void new_memory(bool huge)
{
	mem = memory_new(LEN, huge);
	fill(mem, LEN, SEED);
}

/* ---- the tests ---- */

#define PAGE_AT(n) (mem + (n)*PAGE_BYTES)

static bool page_is_zero(const char *page)
{
	for (size_t i = 0; i < PAGE_BYTES; i++)
		if (page[i])
			return false;
	return true;
}

/* Everything but page 7. */
static bool others_are_intact(void)
{
	static char whole[LEN];

	memcpy(whole, mem, LEN);
	fill(mem, LEN, SEED);
	memcpy(whole + 7 * PAGE_BYTES, mem + 7 * PAGE_BYTES, PAGE_BYTES);
	return is_intact(whole, LEN, SEED);
}

static bool test_discard(void)
{
	struct ferry_job *job;
	bool ok;

	new_memory(false);
	job = start_and_hold();
	ok = job && !madvise(PAGE_AT(7), PAGE_BYTES, MADV_DONTNEED) && job_ends(job);

	return ok && page_is_zero(PAGE_AT(7)) && others_are_intact();
}

static bool test_zero_page_fails(void)
{
	char *hole;
	struct ferry_job *job;
	bool ok;

	new_memory(false);
	/* A hole that is registered, and in no parcel. */
	madvise(mem + HALF, HALF, MADV_DONTNEED);
	hole = mem + HALF + 5 * PAGE_BYTES;
	job = start_and_hold();
	atomic_store(&zero_fails, (uintptr_t)hole);
	ok = job && !*(volatile char *)hole && !atomic_load(&zero_fails);
	return job && job_ends(job) && ok;
}

/* Far more than put-in's patience. */
#define MANY_FAILURES 2000

static void await_failures(unsigned int nr)
{
	atomic_store(&nr_put_in_failed, 0);
	while (atomic_load(&nr_put_in_failed) < nr)
		sched_yield();
}

/* What the program maps while put-in has no memory must stay. */
static bool test_mapped_meanwhile(void)
{
	struct move move = {
		.ferry = ferry, .len = LEN, .mover = FERRY_MOVER_EXCHANGE, .nr_workers = 1};
	struct ferry_job *job;
	bool ok;

	new_memory(false);
	move.addr = mem;
	put_in_fails = (uintptr_t)PAGE_AT(7);
	ok = !move_submit(&move, &job);
	if (!ok)
		return false;
	await_failures(MANY_FAILURES);
	ok = mmap(PAGE_AT(7), PAGE_BYTES, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == PAGE_AT(7);
	memset(PAGE_AT(7), 0x5a, PAGE_BYTES);
	put_in_fails = 0;
	ok = job_ends(job) && ok;
	for (size_t i = 0; i < PAGE_BYTES; i++)
		ok &= PAGE_AT(7)[i] == 0x5a;
	return ok && others_are_intact();
}

/* A page without memory comes back as soon as there is some, from the frame that was left. */
static bool test_memory_comes_back(void)
{
	struct move move = {
		.ferry = ferry, .len = LEN, .mover = FERRY_MOVER_EXCHANGE, .nr_workers = 1};
	struct ferry_job *job;

	new_memory(false);
	move.addr = mem;
	put_in_fails = (uintptr_t)PAGE_AT(7);
	if (move_submit(&move, &job))
		return false;
	await_failures(MANY_FAILURES);
	put_in_fails = 0;
	return job_ends(job) && is_intact(mem, LEN, SEED);
}

/* ---- pages that mremap(2) carries away ---- */

static char carried[PAGE_BYTES];

/* Between the kernel's looks for unread events and for the mapping. */
static bool test_carried_from(bool by_copy)
{
	struct move move = {
		.ferry = ferry, .len = PAGE_BYTES, .mover = FERRY_MOVER_EXCHANGE, .nr_workers = 1};
	char *to = memory_new(PAGE_BYTES, false);
	bool ok;

	new_memory(false);
	move.addr = PAGE_AT(7);
	memcpy(carried, PAGE_AT(7), PAGE_BYTES);
	carry.by_copy = by_copy;
	/* MOVE of the stretch, and of the page. */
	atomic_store(&carry.nr_enoent, by_copy ? 1 : 2);
	ok = carry_prepare(PAGE_AT(7), to) && !move_run(&move) && carry_ends();
	return ok && !memcmp(to, carried, PAGE_BYTES);
}

static void *read_carried(void *page)
{
	while (!atomic_load(&carry.tid) || thread_state(atomic_load(&carry.tid)) != 'D')
		sched_yield();
	atomic_store(&reader_tid, (int)syscall(SYS_gettid));
	return (void *)*(volatile uintptr_t *)page;
}

/* A thread touches the page's new place before the watcher has read that it is there. */
static bool test_carried_and_read(void)
{
	uintptr_t *to = (uintptr_t *)memory_new(PAGE_BYTES, false);
	struct ferry_job *job;
	pthread_t reader;
	void *got = NULL;
	bool ok;

	new_memory(false);
	memcpy(carried, PAGE_AT(7), PAGE_BYTES);
	atomic_store(&reader_tid, 0);
	job = start_and_hold();
	carry.reads_late = to;
	carry.flags = MREMAP_DONTUNMAP; /* has one event only */
	ok = job && carry_prepare(PAGE_AT(7), to) &&
	     !pthread_create(&reader, NULL, read_carried, to);
	atomic_store(&carry.state, CARRY_BEGUN);
	ok = ok && carry_ends() && job_ends(job) && !pthread_join(reader, &got);
	carry.reads_late = NULL;
	carry.flags = 0;
	return ok && (uintptr_t)got == *(uintptr_t *)carried && !memcmp(to, carried, PAGE_BYTES);
}

/* To where another job is about to take out pages. */
static bool test_carried_onto(void)
{
	struct move move = {.ferry = ferry,
			    .len = HALF,
			    .mover = FERRY_MOVER_EXCHANGE,
			    .chunk_bytes = HUGE_BYTES,
			    .nr_workers = 1};
	struct ferry_job *first;
	bool ok;

	new_memory(false);
	memcpy(carried, PAGE_AT(3), PAGE_BYTES);
	move.addr = mem;
	atomic_store(&hold, HOLD_ARMED);
	if (move_submit(&move, &first))
		return false;
	while (atomic_load(&hold) != HOLD_HELD)
		sched_yield();
	carry.after_scan = true;
	move.addr = mem + HALF;
	ok = carry_prepare(PAGE_AT(3), mem + HALF) && !move_run(&move) && carry_ends();
	ok = job_ends(first) && ok;
	return ok && !memcmp(mem + HALF, carried, PAGE_BYTES);
}

/* ---- a thread waits for a page that does not come back ---- */

static atomic_bool reader_done;

static void *read_page(void *page)
{
	atomic_store(&reader_tid, (int)syscall(SYS_gettid));
	(void)*(volatile char *)page;
	atomic_store(&reader_done, true);
	return NULL;
}

static bool test_waiter(void)
{
	struct ferry_job *job;
	pthread_t reader;
	bool ok;

	atomic_store(&reader_tid, 0);
	atomic_store(&reader_done, false);
	new_memory(false);
	atomic_store(&hold_second, true);
	job = start_and_hold();
	ok = job && !pthread_create(&reader, NULL, read_page, PAGE_AT(7));
	while (ok && (!atomic_load(&reader_tid) || thread_state(atomic_load(&reader_tid)) == 'R'))
		sched_yield();
	ok = ok && !madvise(PAGE_AT(7), PAGE_BYTES, MADV_DONTNEED);
	atomic_store(&hold, HOLD_RELEASED);
	/* The end of the job would wake all. */
	while (ok && !atomic_load(&reader_done))
		sched_yield();
	atomic_store(&hold_second, false);
	ok = ok && job_ends(job);
	pthread_join(reader, NULL);
	return ok && page_is_zero(PAGE_AT(7)) && others_are_intact();
}

/* ---- huge pages ---- */

/* The huge page becomes small ones, without an event. */
static void split_first(void)
{
	sys_raw(SYS_mprotect, (long)mem, PAGE_BYTES, PROT_READ, 0, 0, 0);
	sys_raw(SYS_mprotect, (long)mem, PAGE_BYTES, PROT_READ | PROT_WRITE, 0, 0, 0);
}

static void test_split(void)
{
	static const char what[] = "a huge page that is split before it is taken out";
	struct move move = {
		.ferry = ferry, .len = LEN, .mover = FERRY_MOVER_EXCHANGE, .nr_workers = 1};
	bool ok;

	new_memory(true);
	move.addr = mem;
	if (move_run(&move) || exchanged(&move) != LEN / PAGE_BYTES ||
	    move.result.nr_chunks != LEN / HUGE_BYTES) {
		tap_skip("the kernel gives no huge pages here", "%s", what);
	} else {
		before_take_out = split_first;
		ok = !move_run(&move) && !before_take_out && adds_up(&move.result) &&
		     exchanged(&move) == HALF / PAGE_BYTES && is_intact(mem, LEN, SEED);
		if (!ok)
			print_result(&move.result);
		tap_ok(ok, "%s", what);
	}
}

/* ---- frames that are lent ---- */

/* The pipe refers to the frame itself. The frame must not hold another page while it does. */
static bool test_fresh_frames(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct ferry *fresh;
	char *lent = memory_new(LEN, false), *other = memory_new(4 * LEN, false);
	struct move move = {.addr = lent, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
	struct move reuse = {.addr = other, .len = 4 * LEN, .mover = FERRY_MOVER_EXCHANGE};
	struct iovec page = {lent, PAGE_BYTES};
	static uint64_t got[PAGE_BYTES / sizeof(uint64_t)];
	int ends[2];
	bool ok;

	options.flags = FERRY_OPEN_FRESH_FRAMES;
	fresh = move.ferry = reuse.ferry = open_context(&options);
	fill(lent, LEN, SEED);
	fill(other, 4 * LEN, SEED + 1);
	ok = !pipe(ends) && vmsplice(ends[1], &page, 1, 0) == (ssize_t)PAGE_BYTES;
	ok = ok && !move_run(&move) && exchanged(&move) == LEN / PAGE_BYTES;
	for (int i = 0; i < 4 && ok; i++)
		ok = !move_run(&reuse) && exchanged(&reuse) == 4 * LEN / PAGE_BYTES;
	ok = ok && read(ends[0], got, sizeof(got)) == (ssize_t)sizeof(got) &&
	     is_intact(got, sizeof(got), SEED) && is_intact(lent, LEN, SEED) &&
	     is_intact(other, 4 * LEN, SEED + 1);
	close(ends[0]);
	close(ends[1]);
	ferry_close(fresh);
	munmap(lent, LEN);
	munmap(other, 4 * LEN);
	return ok;
}

int main(void)
{
	ferry = open_exchanging_context(NULL);
	watchdog(240, "something that happens while pages are in flight");
	__atomic_store_n(&sys_hook, flight_hook, __ATOMIC_RELEASE);
	tap_plan(11);
	tap_ok(test_discard(), "a page that is discarded does not come back");
	tap_ok(test_waiter(), "a thread that waits for such a page goes on");
	tap_ok(test_zero_page_fails(), "a fault whose zero page fails is served the next time");
	tap_ok(test_mapped_meanwhile(), "what is mapped while put-in has no memory stays");
	tap_ok(test_carried_from(false), "a page that mremap carries away under MOVE");
	tap_ok(test_carried_from(true), "a page that mremap carries away under COPY");
	tap_ok(test_carried_and_read(), "a page that mremap carries to where a thread reads");
	tap_ok(test_carried_onto(), "a page that mremap carries to where pages are taken out");
	tap_ok(test_memory_comes_back(), "a page comes back once there is memory");
	test_split();
	tap_ok(test_fresh_frames(), "FERRY_OPEN_FRESH_FRAMES: frames that are lent are not reused");
	ferry_close(ferry);
	return tap_done();
}
