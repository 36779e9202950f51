// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Children created while pages move: by fork(3), by a bare clone(2), and by posix_spawn(3), whose
 * child shares the memory until it executes another program. Each child checks all content. It also
 * uses and closes the parent's context.
 */
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN (16UL << 20)

/* Time for move_often() to write to the pages, so that they are no longer shared. */
#define PAUSE_US 30000

extern char **environ;

static struct ferry *ferry;
static char *mem;
static atomic_bool stop;
static atomic_ulong nr_exchanged;

static void *move_often(void *arg)
{
	struct move move = {.ferry = ferry,
			    .addr = mem,
			    .len = LEN,
			    .mover = FERRY_MOVER_EXCHANGE,
			    .chunk_bytes = *(uint64_t *)arg};

	while (!atomic_load(&stop)) {
		if (move_run(&move))
			abort();
		atomic_fetch_add(&nr_exchanged, exchanged(&move));
		/* Pages that a child shares cannot be exchanged until the parent writes to them. */
		for (size_t at = 0; at < LEN; at += PAGE_BYTES) {
			volatile uint64_t *word = (volatile uint64_t *)(mem + at);

			*word = *word;
		}
	}
	return NULL;
}

static int child_status(pid_t child)
{
	int status = -1;

	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- children ---- */

static int check_all(void)
{
	return first_wrong(mem, LEN, 5) >= 0;
}

static int close_context(void)
{
	if (check_all())
		return 1;
	ferry_close(ferry);
	return check_all();
}

static int use_context(void)
{
	void *page = mem;
	struct ferry_job *job;
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_range range = {mem, LEN, some_node()};
	struct ferry_stats stats = FERRY_STATS_INIT;
	int status = -1, node = some_node();

	request.ranges = &range;
	request.nr_ranges = 1;
	/* In a child of a bare clone the page may still be in flight: reading it waits. */
	(void)*(volatile char *)mem;
	if (ferry_move_pages(ferry, 0, 1, &page, NULL, &status, 0) || status != node)
		return 2;
	if (ferry_move_pages(ferry, 0, 1, &page, &node, &status, 2))
		return 3;
	if (ferry_submit(ferry, &request, &job) != -EINVAL)
		return 4;
	return ferry_get_stats(ferry, &stats) ? 5 : 0;
}

/* The child moves pages with its own context, while the parent's pages are moved. */
static int open_own(void)
{
	struct move move = {.addr = mem, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
	int err;

	if (ferry_open(&move.ferry, NULL))
		return 6;
	/* UFFDIO_MOVE refuses shared pages: write to them first. */
	for (size_t at = 0; at < LEN; at += PAGE_BYTES)
		*(volatile uint64_t *)(mem + at) = *(volatile uint64_t *)(mem + at);
	err = move_run(&move);
	if (err || !exchanged(&move))
		return 7;
	ferry_close(move.ferry);
	return check_all();
}

static int fork_again(void)
{
	pid_t child = fork();

	if (!child)
		_exit(check_all());
	return child_status(child);
}

static bool fork_children(int (*in_child)(void), unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		pid_t child;
		int ended;

		usleep(PAUSE_US);
		child = fork();

		if (!child) {
			alarm(30);
			_exit(in_child());
		}
		ended = child_status(child);
		if (ended) {
			tap_note("child ended with %d", ended);
			return false;
		}
	}
	return true;
}

/*
 * No handler of fork runs at a clone(2). A lock that another thread holds at that moment, of libc
 * or of the library, stays taken in the child, which then waits for ever, and is killed.
 */
#define LOCKED_S   10
#define MAX_LOCKED 5

static bool child_is_locked(pid_t child)
{
	for (unsigned int i = 0; i < LOCKED_S * 1000; i++) {
		siginfo_t info = {0};

		if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT | WNOHANG) || info.si_pid)
			return false;
		usleep(1000);
	}
	kill(child, SIGKILL);
	child_status(child);
	return true;
}

static bool clone_children(int (*in_child)(void), unsigned int times)
{
	unsigned int nr_locked = 0;

	for (unsigned int i = 0; i < times; i++) {
		pid_t child;
		int ended;

		usleep(PAUSE_US);
		child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

		if (!child)
			_exit(in_child());
		if (in_child != check_all && child > 0 && child_is_locked(child)) {
			if (++nr_locked == MAX_LOCKED)
				return false;
			i--;
			continue;
		}
		ended = child_status(child);
		if (ended) {
			tap_note("cloned child ended with %d, in round %u", ended, i);
			return false;
		}
	}
	return true;
}

static bool spawn_children(unsigned int times)
{
	char *args[] = {(char *)"/bin/true", NULL};

	for (unsigned int i = 0; i < times; i++) {
		pid_t child;

		if (posix_spawn(&child, args[0], NULL, NULL, args, environ) || child_status(child))
			return false;
	}
	return true;
}

static void run_children(uint64_t chunk_bytes, bool huge)
{
	const char *pages = huge ? "huge" : "small";
	unsigned long chunk = (unsigned long)chunk_bytes;
	pthread_t mover;

	mem = memory_new(LEN, huge);
	fill(mem, LEN, 5);
	atomic_store(&stop, false);
	atomic_store(&nr_exchanged, 0);
	pthread_create(&mover, NULL, move_often, &chunk_bytes);
	watchdog(240, "children");
	tap_ok(fork_children(check_all, 20), "fork: content, %s pages, chunks of %lu", pages,
	       chunk);
	tap_ok(fork_children(close_context, 5), "fork: the child closes the parent's context");
	tap_ok(fork_children(use_context, 5), "fork: the child uses the parent's context");
	tap_ok(fork_children(open_own, 3), "fork: the child opens a context and moves");
	tap_ok(fork_children(fork_again, 3), "fork in a forked child");
	tap_ok(clone_children(check_all, 20), "clone: content");
	tap_ok(clone_children(close_context, 3), "clone: the child closes the parent's context");
	tap_ok(clone_children(use_context, 3), "clone: the child uses the parent's context");
	tap_ok(clone_children(open_own, 3), "clone: the child opens a context and moves");
	tap_ok(spawn_children(10), "posix_spawn");
	atomic_store(&stop, true);
	pthread_join(mover, NULL);
	tap_ok(is_intact(mem, LEN, 5) && nr_exchanged, "the parent's content, %lu pages exchanged",
	       nr_exchanged);
	munmap(mem, LEN);
}

int main(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

#ifdef __SANITIZE_THREAD__
	printf("1..0 # SKIP TSan takes a bare clone(2) for a thread\n");
	return 0;
#endif
	options.nr_workers = 3;
	some_node();
	ferry = open_exchanging_context(&options);
	tap_plan(3 * 11);
	run_children(0, false);
	run_children(65536, false);
	run_children(0, true);
	ferry_close(ferry);
	return tap_done();
}
