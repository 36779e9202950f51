// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kernel mover names a huge page to the kernel once, by its first address. The statuses of its
 * other small pages must be true even if the huge page is split meanwhile, in this process and in
 * another one.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/nodes/pagemap.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"
#include "tests/vm/guest/folios.h"

#define NR_HUGE    24
#define LEN        ((size_t)NR_HUGE * HUGE_BYTES)
#define NR_PAGES   ((unsigned int)(LEN / PAGE_BYTES))
#define MIN_ROUNDS 4
#define RACE_NS    (4 * 1000000000ULL)
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* Orders for the thread or process that holds the memory, one at a time. */
enum order { HOLDER_IDLE, HOLDER_SPLIT, HOLDER_REST, HOLDER_COLLAPSE, HOLDER_CHECK, HOLDER_END };

static struct board {
	atomic_int order; /* HOLDER_IDLE once it is done; HOLDER_SPLIT lasts until HOLDER_REST */
	atomic_bool well; /* the last order succeeded */
} * board;

static struct ferry *ferry;
static char *mem;
static int status[NR_PAGES], truth[NR_PAGES];
static void *pages[NR_PAGES];

/* Splits some huge pages: MADV_COLD on a part of one does that, and changes no byte. */
static void holder_split(void)
{
	for (unsigned int i = 0; i < 8; i++)
		madvise(mem + (size_t)((unsigned int)rand() % NR_PAGES) * PAGE_BYTES, PAGE_BYTES,
			MADV_COLD);
}

static void *holder_run(void *arg __maybe_unused)
{
	fill(mem, LEN, 7);
	atomic_store(&board->order, HOLDER_IDLE);
	for (;;) {
		int order = atomic_load(&board->order);

		if (order == HOLDER_END)
			return NULL;
		if (order == HOLDER_SPLIT) {
			holder_split();
			continue;
		}
		if (order == HOLDER_COLLAPSE)
			atomic_store(&board->well, !madvise(mem, LEN, MADV_COLLAPSE));
		if (order == HOLDER_CHECK)
			atomic_store(&board->well, is_intact(mem, LEN, 7));
		if (order != HOLDER_IDLE)
			atomic_store(&board->order, HOLDER_IDLE);
		usleep(200);
	}
}

static bool holder_order(enum order what)
{
	atomic_store(&board->order, what);
	while (what != HOLDER_SPLIT && what != HOLDER_END &&
	       atomic_load(&board->order) != HOLDER_IDLE)
		usleep(200);
	return atomic_load(&board->well);
}

/* Moves all memory by the kernel mover. 0 or -errno. */
static int move_to(int pid, int node, struct ferry_result *result)
{
	struct ferry_range range = {mem, LEN, node};
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_job *job;
	int err;

	request.pid = pid;
	request.ranges = &range;
	request.nr_ranges = 1;
	request.mover = FERRY_MOVER_KERNEL;
	request.status = status;
	err = ferry_submit(ferry, &request, &job);
	if (err)
		return err;
	err = ferry_job_wait(job, WAIT_NS);
	if (!err)
		err = ferry_job_result(job, result);
	ferry_job_close(job);
	return err ? err : result->error;
}

/* True if the kernel confirms the statuses, and the result counts them right. */
static bool statuses_are_true(int pid, int node, const struct ferry_result *result)
{
	unsigned int nr_there = 0, nr_false = 0;

	if (syscall(SYS_move_pages, pid, (unsigned long)NR_PAGES, pages, NULL, truth, 0))
		return false;
	for (unsigned int i = 0; i < NR_PAGES; i++) {
		nr_there += status[i] == node;
		if (status[i] >= 0 && status[i] != truth[i] && !nr_false++)
			printf("# page %u: status %d, but it is on node %d\n", i, status[i],
			       truth[i]);
	}
	if (nr_false)
		printf("# and %u more pages like that\n", nr_false - 1);
	return !nr_false && result->nr_moved + result->nr_in_place == nr_there &&
	       result->nr_failed == NR_PAGES - nr_there;
}

static bool all_huge(int pid)
{
	struct own_fd file = OWN_FD_NONE;
	unsigned int nr = 0;
	int fd;

	if (pid)
		pagemap_open_of(pid, &file);
	fd = pid ? file.fd : pagemap_own();

	for (unsigned int i = 0; i < NR_HUGE; i++)
		nr += pagemap_seems_huge_of(fd, (uintptr_t)mem + i * HUGE_BYTES);
	own_fd_drop(&file);
	return nr == NR_HUGE;
}

static void check_whole(const char *whose, int pid)
{
	struct ferry_result result = FERRY_RESULT_INIT;
	bool well = true, huge = true;

	holder_order(HOLDER_COLLAPSE);
	well &= !move_to(pid, 0, &result);
	for (int node = 1; node >= 0; node--) {
		well &= !move_to(pid, node, &result) && statuses_are_true(pid, node, &result) &&
			result.nr_moved == NR_PAGES;
		huge &= all_huge(pid);
	}
	tap_ok(well, "%s: all moved", whose);
	tap_ok(huge, "%s: still huge", whose);
	well = !move_to(pid, 0, &result) && statuses_are_true(pid, 0, &result);
	tap_ok(well && result.nr_in_place == NR_PAGES, "%s: in place", whose);
}

static void check_race(const char *whose, int pid)
{
	uint64_t end_ns = test_now_ns() + RACE_NS, nr_moved = 0;
	unsigned int nr_rounds = 0;
	bool well = true;

	while (well && (test_now_ns() < end_ns || nr_rounds < MIN_ROUNDS)) {
		struct ferry_result result = FERRY_RESULT_INIT;
		int node = ++nr_rounds % 2;

		holder_order(HOLDER_COLLAPSE);
		holder_order(HOLDER_SPLIT);
		well = !move_to(pid, node, &result);
		holder_order(HOLDER_REST);
		well = well && statuses_are_true(pid, node, &result);
		nr_moved += result.nr_moved;
	}
	printf("# %u rounds, %llu pages moved\n", nr_rounds, (unsigned long long)nr_moved);
	tap_ok(well && nr_moved > NR_PAGES, "%s: no status is wrong while huge pages are split",
	       whose);
	tap_ok(holder_order(HOLDER_CHECK), "%s: no byte has changed", whose);
}

/* ferry_move_pages() with one address for each huge page. */
static void check_list(const char *whose, int pid)
{
	void *heads[NR_HUGE];
	int nodes[NR_HUGE];
	bool well = true;

	holder_order(HOLDER_COLLAPSE);
	for (int node = 1; node >= 0; node--) {
		for (unsigned int i = 0; i < NR_HUGE; i++) {
			heads[i] = mem + i * HUGE_BYTES;
			nodes[i] = node;
			status[i] = -1;
		}
		well &= !ferry_move_pages(ferry, pid, NR_HUGE, heads, nodes, status, 2);
		for (unsigned int i = 0; i < NR_HUGE; i++)
			well &= status[i] == node;
		syscall(SYS_move_pages, pid, (unsigned long)NR_PAGES, pages, NULL, truth, 0);
		for (unsigned int i = 0; i < NR_PAGES; i++)
			well &= truth[i] == node;
	}
	tap_ok(well && all_huge(pid), "%s: a list of huge pages", whose);
}

static void check_all(const char *whose, int pid)
{
	while (atomic_load(&board->order) != HOLDER_IDLE)
		usleep(1000);
	check_whole(whose, pid);
	check_list(whose, pid);
	check_race(whose, pid);
	holder_order(HOLDER_END);
}

static void check_own(void)
{
	pthread_t thread;

	atomic_store(&board->order, HOLDER_CHECK);
	if (pthread_create(&thread, NULL, holder_run, NULL))
		abort();
	check_all("own", 0);
	pthread_join(thread, NULL);
}

static void check_other(void)
{
	pid_t child;

	madvise(mem, LEN, MADV_DONTNEED);
	atomic_store(&board->order, HOLDER_CHECK);
	child = fork();
	if (!child) {
		holder_run(NULL);
		_exit(0);
	}
	check_all("another's", child);
	waitpid(child, NULL, 0);
}

int main(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

	tap_plan(2 * 6);
	watchdog(110, "huge_once");
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	mem = memory_new(LEN, true);
	for (unsigned int i = 0; i < NR_PAGES; i++)
		pages[i] = mem + (size_t)i * PAGE_BYTES;
	if (board == MAP_FAILED || ferry_open(&ferry, &options))
		return 1;
	/* Keep khugepaged from moving pages, too. */
	put_word(THP_DIR "khugepaged/scan_sleep_millisecs", "600000");
	check_own();
	check_other();
	ferry_close(ferry);
	return tap_done();
}
