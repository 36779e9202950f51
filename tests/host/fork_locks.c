// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Forks while the program or the library holds something.
 *
 * Many programs hold a lock of their own over each fork, by handlers of pthread_atfork(3). Handlers
 * that run before a fork run in the reverse order of their registration, so those of the library
 * come before those of a program that registers first. Here one thread forks, and its handler
 * waits for the program's lock. The thread that holds the lock calls the library meanwhile, and
 * gives the lock back when the call ends.
 *
 * A signal handler may fork too, while its thread is in the library.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN      (4UL << 20)
#define NR_PAGES (LEN / PAGE_BYTES)
#define SEED     11

static struct ferry *ferry;
static char *mem;
static struct ferry_job *early; /* submitted before the fork */

/* ---- the program's lock ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool locking;      /* the handlers use the lock */
static atomic_bool giving_up;    /* the handler leaves fork(3) */
static atomic_bool lock_is_held; /* by the thread that calls the library */
static atomic_bool fork_waits;   /* the handlers of the library have run */
static sigjmp_buf out_of_fork;

static void before_fork(void)
{
	if (atomic_load(&giving_up))
		siglongjmp(out_of_fork, 1);
	if (!atomic_load(&locking))
		return;
	atomic_store(&fork_waits, true);
	pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
	if (atomic_load(&locking))
		pthread_mutex_unlock(&lock);
}

/* ---- what the holder of the lock calls ---- */

static bool call_job(enum ferry_mover mover, unsigned int flags)
{
	struct move move = {.ferry = ferry, .addr = mem, .len = LEN, .mover = mover};

	move.flags = flags;
	return !move_run(&move) && move.result.nr_failed == 0 && adds_up(&move.result);
}

static bool call_exchange(void)
{
	return call_job(FERRY_MOVER_EXCHANGE, FERRY_MOVE_APART);
}

static bool call_exchange_together(void)
{
	return call_job(FERRY_MOVER_EXCHANGE, FERRY_MOVE_TOGETHER);
}

static bool call_kernel(void)
{
	return call_job(FERRY_MOVER_KERNEL, 0);
}

static bool call_early(void)
{
	bool ended = !ferry_job_wait(early, WAIT_NS);

	ferry_job_close(early);
	early = NULL;
	return ended;
}

static bool call_cancel(void)
{
	ferry_job_cancel(early);
	return call_early();
}

static bool move_pages_of(unsigned int nr)
{
	static void *pages[NR_PAGES];
	static int nodes[NR_PAGES], status[NR_PAGES];

	for (unsigned int i = 0; i < nr; i++) {
		pages[i] = mem + i * PAGE_BYTES;
		nodes[i] = some_node();
	}
	return !ferry_move_pages(ferry, 0, nr, pages, nodes, status, 1 << 1 /* MPOL_MF_MOVE */) &&
	       status[0] == some_node();
}

static bool call_move_pages(void)
{
	return move_pages_of(NR_PAGES);
}

/* A plain call beside a job that exchanges is made again with all pages in. */
static bool call_plain(void)
{
	return move_pages_of(16) && call_early();
}

static bool call_open(void)
{
	struct ferry *before = ferry, *mine;
	bool ok;

	if (ferry_open(&mine, NULL))
		return false;
	ferry = mine;
	ok = call_exchange();
	ferry = before;
	ferry_close(mine);
	return ok;
}

static bool call_others(void)
{
	struct ferry_stats stats = FERRY_STATS_INIT;

	ferry_trim(ferry);
	return !ferry_get_stats(ferry, &stats);
}

struct call {
	const char *what;
	bool (*run)(void);
	bool early; /* beside a job that began before the fork */
};

static const struct call calls[] = {
	{"a job that exchanges, apart", call_exchange, false},
	{"a job that exchanges, together", call_exchange_together, false},
	{"a job of the kernel mover", call_kernel, false},
	{"the wait for a job that runs already", call_early, true},
	{"the cancel of a job that runs already", call_cancel, true},
	{"ferry_move_pages", call_move_pages, false},
	{"a plain call beside a job", call_plain, true},
	{"a context that is opened, used and closed", call_open, false},
	{"ferry_trim and ferry_get_stats", call_others, false},
};

/* ---- one call of a thread that holds the lock, beside a fork ---- */

static void wait_for(atomic_bool *flag)
{
	while (!atomic_load(flag))
		usleep(1000);
}

static void *hold_and_call(void *arg)
{
	const struct call *call = arg;
	bool ok;

	pthread_mutex_lock(&lock);
	atomic_store(&lock_is_held, true);
	wait_for(&fork_waits);
	ok = call->run();
	pthread_mutex_unlock(&lock);
	return ok ? arg : NULL;
}

/* A slow job whose pages are taken out and put in many times. */
static struct ferry_job *start_early_job(void)
{
	struct ferry_range range = {mem, LEN, some_node()};
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_progress progress = {0};
	struct ferry_job *job;

	request.ranges = &range;
	request.nr_ranges = 1;
	request.flags = FERRY_MOVE_ALWAYS;
	request.mover = FERRY_MOVER_EXCHANGE;
	request.chunk_bytes = 65536;
	request.max_bytes_per_s = 8 << 20;
	if (ferry_submit(ferry, &request, &job))
		abort();
	while (!progress.nr_done)
		ferry_job_progress(job, &progress);
	return job;
}

static bool child_is_fine(pid_t child)
{
	int status;

	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

static bool call_ends_beside_fork(const struct call *call)
{
	pthread_t holder;
	void *ok;
	pid_t child;

	fill(mem, LEN, SEED);
	atomic_store(&fork_waits, false);
	atomic_store(&lock_is_held, false);
	early = call->early ? start_early_job() : NULL;
	atomic_store(&locking, true);
	pthread_create(&holder, NULL, hold_and_call, (void *)(uintptr_t)call);
	wait_for(&lock_is_held);
	child = fork();
	if (!child)
		_exit(!is_intact(mem, LEN, SEED));
	atomic_store(&locking, false);
	pthread_join(holder, &ok);
	return child_is_fine(child) && ok && is_intact(mem, LEN, SEED);
}

/* ---- a fork that its own handler gives up ---- */

static bool jobs_end_after_given_up_fork(void)
{
	volatile bool ok = false;

	fill(mem, LEN, SEED);
	if (!sigsetjmp(out_of_fork, 1)) {
		atomic_store(&giving_up, true);
		fork();
	} else {
		atomic_store(&giving_up, false);
		ok = call_exchange() && call_exchange_together() && call_move_pages();
	}
	return ok && is_intact(mem, LEN, SEED);
}

/* ---- a signal handler that forks ---- */

static atomic_long raise_at;        /* the system call, by this thread, at which a signal comes */
static atomic_uint raise_countdown; /* it comes at the last of so many */
static atomic_uint nr_handled;
static atomic_int handled_wrong;
static pthread_t caller;

static bool raise_in_call(long nr, const long args[6] __maybe_unused, long *ret __maybe_unused)
{
	if (nr == atomic_load(&raise_at) && pthread_equal(pthread_self(), caller) &&
	    atomic_load(&raise_countdown) && atomic_fetch_sub(&raise_countdown, 1) == 1)
		raise(SIGUSR1);
	return false;
}

/* The child calls the library from within the handler, as the parent does. */
static void fork_in_handler(int sig __maybe_unused)
{
	struct ferry_stats stats = FERRY_STATS_INIT;
	pid_t child = fork();

	if (!child) {
		alarm(60);
		if (!move_pages_of(16) || !move_pages_of(NR_PAGES) || !is_intact(mem, LEN, SEED))
			_exit(1);
		_exit(0);
	}
	if (!move_pages_of(16) || ferry_get_stats(ferry, &stats) || !child_is_fine(child))
		atomic_store(&handled_wrong, 1);
	atomic_fetch_add(&nr_handled, 1);
}

static bool run_move(void)
{
	return call_job(FERRY_MOVER_AUTO, 0);
}

static bool call_fd(void)
{
	return ferry_job_fd(early) >= 0 && call_early();
}

struct interrupted {
	const char *what;
	bool (*run)(void);
	bool early;
	long at; /* system call */
	unsigned int countdown;
};

static const struct interrupted interrupted[] = {
	{"a plain call", call_plain, true, SYS_move_pages, 1},
	{"a plain call that is made again", call_plain, true, SYS_move_pages, 2},
	{"ferry_move_pages", call_move_pages, false, SYS_move_pages, 1},
	{"ferry_job_fd", call_fd, true, SYS_eventfd2, 1},
	{"ferry_submit", run_move, false, SYS_move_pages, 1},
	{"ferry_open", call_open, false, SYS_userfaultfd, 1},
	{"ferry_open, starting threads", call_open, false, SYS_mprotect, 2},
	{"ferry_job_close", call_fd, true, SYS_close, 4},
	{"ferry_trim", call_others, false, SYS_ioctl, 1},
};

static bool handler_may_fork(const struct interrupted *it)
{
	bool ok;

	fill(mem, LEN, SEED);
	early = it->early ? start_early_job() : NULL;
	atomic_store(&nr_handled, 0);
	atomic_store(&handled_wrong, 0);
	atomic_store(&raise_countdown, it->countdown);
	atomic_store(&raise_at, it->at);
	ok = it->run();
	atomic_store(&raise_at, -1);
	if (!atomic_load(&nr_handled))
		tap_note("no signal came: the call is not made");
	return ok && atomic_load(&nr_handled) && !atomic_load(&handled_wrong) &&
	       is_intact(mem, LEN, SEED);
}

int main(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

#ifdef __SANITIZE_THREAD__
	printf("1..0 # SKIP TSan holds locks of its own over a fork\n");
	return 0;
#endif
	/* Before the library registers its own. */
	pthread_atfork(before_fork, after_fork, after_fork);
	caller = pthread_self();
	options.nr_workers = 2;
	ferry = open_exchanging_context(&options);
	mem = memory_new(LEN, false);
	signal(SIGUSR1, fork_in_handler);
	__atomic_store_n(&sys_hook, raise_in_call, __ATOMIC_RELEASE);
	tap_plan(ARRAY_SIZE(calls) + ARRAY_SIZE(interrupted) + 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		watchdog(120, calls[i].what);
		tap_ok(call_ends_beside_fork(&calls[i]),
		       "a fork waits for the holder of a lock: %s", calls[i].what);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(interrupted); i++) {
		watchdog(120, interrupted[i].what);
		tap_ok(handler_may_fork(&interrupted[i]), "a signal handler forks in %s",
		       interrupted[i].what);
	}
	watchdog(120, "a fork that a handler gives up");
	tap_ok(jobs_end_after_given_up_fork(), "jobs end after a fork that a handler gives up");
	alarm(0);
	ferry_close(ferry);
	return tap_done();
}
