// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Threads exit while memory with their control blocks, or with robust mutexes that they hold, is
 * being moved. The kernel writes to that memory while they exit, and does not wait for a page in
 * flight: then pthread_join(3) would never return, and no thread would learn that the owner is
 * dead.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif

#include "base/sys.h"
#include "base/uapi.h"
#include "lib/core/context.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN       (4UL << 20)
#define STACK_LEN (256UL << 10)
#define SEED      4

static struct ferry *ferry;
static char *mem;

/* ---- a thread that touches no memory of its own from `ready` to its end ---- */

static atomic_uint running, may_lock, ready, go;
static atomic_int thread_tid;
static pthread_mutex_t *held; /* the thread locks it, once it may; NULL: none */

static void wait_for(atomic_uint *word)
{
	while (!atomic_load(word))
		sys_raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

/*
 * The kernel writes to the restartable-sequences area, beside the control block, when it has
 * preempted a thread. The thread would wait there for the page in flight.
 */
static void leave_rseq(void)
{
#if __has_include(<sys/rseq.h>)
	syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32,
		RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
#endif
}

static void *wait_and_exit(void *arg)
{
	leave_rseq();
	atomic_store(&running, 1);
	wait_for(&may_lock);
	if (held)
		pthread_mutex_lock(held);
	atomic_store(&thread_tid, (int)sys_raw(SYS_gettid, 0, 0, 0, 0, 0, 0));
	/* ready = 1; while (!go) ; exit(0) */
#if defined(__x86_64__)
	__asm__ volatile("movl $1, (%0); 1: pause; cmpl $0, (%1); je 1b; syscall"
			 :
			 : "r"(&ready), "r"(&go), "a"(SYS_exit), "D"(0)
			 : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = SYS_exit;
	register long x0 __asm__("x0") = 0;

	__asm__ volatile("mov w1, #1; stlr w1, [%0]; 1: yield; ldr w1, [%1]; cbz w1, 1b; svc 0"
			 :
			 : "r"(&ready), "r"(&go), "r"(x8), "r"(x0)
			 : "x1", "memory");
#endif
	return arg;
}

static bool thread_is_there(int tid)
{
	return !sys_raw(SYS_tgkill, sys_raw(SYS_getpid, 0, 0, 0, 0, 0, 0), tid, 0, 0, 0, 0);
}

/* stack: in the moved memory; NULL: elsewhere, by libc's choice. */
static bool thread_start(pthread_t *thread, void *stack)
{
	pthread_attr_t attr;
	bool ok;

	atomic_store(&running, 0);
	atomic_store(&may_lock, 0);
	atomic_store(&ready, 0);
	atomic_store(&go, 0);
	pthread_attr_init(&attr);
	if (stack)
		pthread_attr_setstack(&attr, stack, STACK_LEN);
	ok = !pthread_create(thread, &attr, wait_and_exit, NULL);
	pthread_attr_destroy(&attr);
	if (ok)
		wait_for(&running);
	return ok;
}

static void thread_make_ready(void)
{
	atomic_store(&may_lock, 1);
	wait_for(&ready);
}

/* ---- hooks between the steps ---- */

static uintptr_t watched; /* steps of the parcel with this page are held up */
static atomic_uint step;  /* what the main thread is to do now */
static atomic_bool late;  /* the main thread has to do something before the take-out */

enum { STEP_NONE, STEP_LATE, STEP_READY, STEP_DONE };

static bool covers(uint64_t start, uint64_t len)
{
	return watched >= start && watched < start + len;
}

static void step_wait(unsigned int until)
{
	while (atomic_load(&step) != until)
		sys_raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

/* Before the take-out the main thread has its turn; before the put-in the thread ends. */
static bool hold_hook(long nr, const long args[6], long *ret __maybe_unused)
{
	const struct uffdio_move *move = (const void *)args[2];

	if (nr != SYS_ioctl || (unsigned int)args[1] != UFFDIO_MOVE)
		return false;
	if (covers(move->src, move->len) && atomic_load(&late) && atomic_load(&step) == STEP_NONE) {
		atomic_store(&step, STEP_LATE);
		step_wait(STEP_READY);
	}
	if (covers(move->dst, move->len) && atomic_load(&step) == STEP_READY) {
		atomic_store(&go, 1);
		while (thread_is_there(atomic_load(&thread_tid)))
			sys_raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
		atomic_store(&step, STEP_DONE);
	}
	return false;
}

struct round {
	struct ferry_job *job;
	pthread_t thread;
	struct ferry_result result;
};

enum start {
	BEFORE_JOB,  /* the thread is ready before the job begins */
	LOCKS_LATE,  /* it locks its mutex after the library has looked at the threads */
	STARTS_LATE, /* it starts after that */
};

/*
 * Moves the memory while a thread exits whose control block, on `stack`, or whose mutex is on the
 * watched page.
 */
static bool round_run(struct round *round, void *stack, const void *page, enum start start)
{
	struct move move = {.ferry = ferry,
			    .addr = mem,
			    .len = LEN,
			    .mover = FERRY_MOVER_EXCHANGE,
			    .chunk_bytes = HUGE_BYTES,
			    .nr_workers = 1};
	bool ok = true;

	watched = ALIGN_DOWN((uintptr_t)page, PAGE_BYTES);
	atomic_store(&late, start != BEFORE_JOB);
	atomic_store(&step, start == BEFORE_JOB ? STEP_READY : STEP_NONE);
	if (start != STARTS_LATE)
		ok = thread_start(&round->thread, stack);
	if (ok && start == BEFORE_JOB)
		thread_make_ready();
	__atomic_store_n(&sys_hook, hold_hook, __ATOMIC_RELEASE);
	ok = ok && !move_submit(&move, &round->job);
	if (!ok)
		return false;
	if (start != BEFORE_JOB) {
		step_wait(STEP_LATE);
		ok = start == LOCKS_LATE || thread_start(&round->thread, stack);
		thread_make_ready();
		atomic_store(&step, STEP_READY);
	}
	ok &= !ferry_job_wait(round->job, WAIT_NS);
	__atomic_store_n(&sys_hook, NULL, __ATOMIC_RELEASE);
	/* If the page was never in flight, the thread ends now. */
	atomic_store(&go, 1);
	round->result = (struct ferry_result)FERRY_RESULT_INIT;
	ok &= !ferry_job_result(round->job, &round->result);
	ferry_job_close(round->job);
	return ok && adds_up(&round->result);
}

/* The page with the control block of a thread on this stack: pthread_t points to it. */
static const void *control_block(void *stack)
{
	pthread_t thread;

	if (!thread_start(&thread, stack))
		return NULL;
	thread_make_ready();
	atomic_store(&go, 1);
	pthread_join(thread, NULL);
	return (const void *)thread; /* NOLINT */
}

/* What the library knew was not taken out; the rest was in flight when the thread ended. */
static bool was_as_planned(const struct round *round, enum start start)
{
	if (start == BEFORE_JOB)
		return round->result.pages_by_reason[FERRY_REASON_THREAD] > 0;
	return atomic_load(&step) == STEP_DONE;
}

static bool test_join(enum start start)
{
	struct round round;
	char *stack = mem + LEN / 2;
	const void *block;
	bool ok;

	held = NULL;
	block = control_block(stack);
	ok = round_run(&round, stack, block, start);
	if (ok)
		pthread_join(round.thread, NULL);
	ok &= was_as_planned(&round, start);
	if (!ok)
		print_result(&round.result);
	return ok && is_intact(mem, LEN / 2, SEED);
}

static bool test_mutex(enum start start)
{
	pthread_mutexattr_t attr;
	struct round round;
	int err = -1;
	bool ok;

	held = (pthread_mutex_t *)(mem + LEN / 2 + PAGE_BYTES);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(held, &attr);
	pthread_mutexattr_destroy(&attr);
	ok = round_run(&round, NULL, held, start);
	if (ok) {
		pthread_join(round.thread, NULL);
		err = pthread_mutex_lock(held);
	}
	if (err == EOWNERDEAD)
		pthread_mutex_consistent(held);
	ok &= was_as_planned(&round, start);
	if (err != EOWNERDEAD || !ok) {
		tap_note("lock: %s", strerror(err));
		print_result(&round.result);
	}
	pthread_mutex_unlock(held);
	pthread_mutex_destroy(held);
	return ok && err == EOWNERDEAD && is_intact(mem, LEN / 2, SEED);
}

/* ---- many threads, on stacks of libc's ---- */

#define NR_JOINS 2000

static void *note_stack(void *arg)
{
	*(void **)arg = __builtin_frame_address(0);
	return NULL;
}

static atomic_bool stop_moving;

/* Moves the memory around an address over and over. */
static void *keep_moving(void *arg)
{
	struct move move = {.ferry = ferry, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
	uintptr_t nr = 0;

	move.addr = (void *)(ALIGN_DOWN((uintptr_t)arg, HUGE_BYTES) - HUGE_BYTES);
	while (!atomic_load(&stop_moving)) {
		if (move_run(&move))
			return NULL;
		nr++;
	}
	return (void *)nr;
}

static bool test_churn(void)
{
	void *place = NULL, *nr_moves = NULL;
	pthread_t thread, mover;
	unsigned int nr = 0;

	if (pthread_create(&thread, NULL, note_stack, &place) || pthread_join(thread, NULL))
		return false;
	atomic_store(&stop_moving, false);
	/* The mover has a stack of its own elsewhere. */
	if (pthread_create(&mover, NULL, keep_moving, place))
		return false;
	for (; nr < NR_JOINS; nr++) {
		void *other;

		if (pthread_create(&thread, NULL, note_stack, &other) || pthread_join(thread, NULL))
			break;
	}
	atomic_store(&stop_moving, true);
	pthread_join(mover, &nr_moves);
	tap_note("%lu moves", (unsigned long)nr_moves);
	return nr == NR_JOINS && nr_moves;
}

/* ---- a lane must not wait for its own pages ---- */

static atomic_long worker_tid;
static atomic_ulong nr_reads, nr_reads_in_flight;

/*
 * The program may have moved a page in flight to where a thread's memory was. A lane that reads
 * there, and that has taken out the page itself, would never end.
 */
static bool watch_reads(long nr, const long args[6], long *ret __maybe_unused)
{
	long tid = sys_raw(SYS_gettid, 0, 0, 0, 0, 0, 0);

	if (nr == SYS_ioctl && (unsigned int)args[1] == UFFDIO_MOVE)
		atomic_store(&worker_tid, tid);
	if (nr == SYS_process_vm_readv && tid == atomic_load(&worker_tid)) {
		atomic_fetch_add(&nr_reads, 1);
		if (ferry->lanes[0].nr_in_flight)
			atomic_fetch_add(&nr_reads_in_flight, 1);
	}
	return false;
}

static void *end_at_once(void *arg)
{
	return arg;
}

static bool test_reads(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct ferry *before = ferry;
	unsigned long nr_moves = 0;
	bool ok = true;

	fill(mem, LEN, SEED);
	options.engine = "dsa:model";
	options.nr_workers = 1;
	ferry = open_context(&options);
	__atomic_store_n(&sys_hook, watch_reads, __ATOMIC_RELEASE);
	for (; ok && (nr_moves < 20 || atomic_load(&nr_reads) < 100); nr_moves++) {
		struct move move = {
			.ferry = ferry,
			.addr = mem,
			.len = LEN,
			.mover = FERRY_MOVER_EXCHANGE,
			.chunk_bytes = 65536,
		};
		struct ferry_job *job;
		pthread_t thread;

		ok = !move_submit(&move, &job);
		while (ok && ferry_job_wait(job, 0))
			ok = !pthread_create(&thread, NULL, end_at_once, NULL) &&
			     !pthread_join(thread, NULL);
		ferry_job_close(job);
	}
	__atomic_store_n(&sys_hook, NULL, __ATOMIC_RELEASE);
	ferry_close(ferry);
	ferry = before;
	tap_note("%lu reads in %lu moves, %lu with pages in flight", nr_reads, nr_moves,
		 nr_reads_in_flight);
	return ok && !nr_reads_in_flight && is_intact(mem, LEN, SEED);
}

int main(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	printf("1..0 # SKIP a sanitizer must see a thread end, and these end by a system call\n");
	return 0;
#endif
	ferry = open_exchanging_context(NULL);
	tap_plan(6);
	mem = memory_new(LEN, false);
	fill(mem, LEN, SEED);
	watchdog(120, "a thread that exits while its memory moves");
	tap_ok(test_join(STARTS_LATE),
	       "join of a thread that starts right before its memory is taken out");
	tap_ok(test_join(BEFORE_JOB), "join of a thread that was there before");
	tap_ok(test_mutex(LOCKS_LATE), "robust mutex that is locked right before it is taken out");
	tap_ok(test_mutex(BEFORE_JOB), "robust mutex that was locked before");
	tap_ok(test_churn(), "%d threads that start and end on stacks that move", NR_JOINS);
	tap_ok(test_reads(), "a lane reads the program's memory with nothing in flight");
	ferry_close(ferry);
	return tap_done();
}
