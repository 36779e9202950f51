// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Pools between two nodes: in a memory cgroup whose limit the program's own pages nearly fill, and
 * below a cap that is far smaller than what is moved. A child does each case, because what fails
 * may be that the kernel kills it.
 */
#include <linux/mempolicy.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/pool/pool.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define CGROUPS   "/sys/fs/cgroup/"
#define CGROUP    CGROUPS "pool_limits/"
#define DATA      (400UL << 20)
#define LARGE     (900UL << 20)
#define CAP       (64UL << 20)
#define NR_ROUNDS 20

static bool put_word(const char *path, const char *word)
{
	FILE *file = fopen(path, "we");
	bool good = file && fputs(word, file) >= 0;

	if (file)
		good &= !fclose(file);
	return good;
}

static char *memory_on(int node, size_t len, bool huge)
{
	unsigned long mask = 1UL << node;
	char *mem = memory_new(len, huge);

	if (syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 64))
		abort();
	fill(mem, len, 3);
	if (syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0))
		abort();
	return mem;
}

static bool all_on(char *mem, size_t len, int node)
{
	size_t nr = len / PAGE_BYTES, nr_elsewhere = 0;
	void **pages = malloc(nr * sizeof(*pages));
	int *at = malloc(nr * sizeof(*at));

	for (size_t i = 0; i < nr; i++)
		pages[i] = mem + i * PAGE_BYTES;
	if (syscall(SYS_move_pages, 0, nr, pages, NULL, at, 0))
		nr_elsewhere = nr;
	else
		for (size_t i = 0; i < nr; i++)
			nr_elsewhere += at[i] != node;
	free(pages);
	free(at);
	if (nr_elsewhere)
		tap_note("%zu of %zu pages are not on node %d", nr_elsewhere, nr, node);
	return !nr_elsewhere;
}

/* Moves all to the node and checks every byte. Returns how many pages the exchange mover moved. */
static uint64_t move_to(struct ferry *ferry, char *mem, size_t len, int node,
			enum ferry_mover mover)
{
	struct ferry_range range = {mem, len, node};
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_progress progress = {0};
	struct ferry_job *job;
	int err;

	request.ranges = &range;
	request.nr_ranges = 1;
	request.mover = mover;
	err = ferry_submit(ferry, &request, &job);
	if (!err)
		err = ferry_job_wait(job, WAIT_NS);
	if (!err || err == -ETIMEDOUT)
		ferry_job_progress(job, &progress);
	if (!err)
		err = ferry_job_result(job, &result);
	if (err) {
		tap_note("job: %s, %lu pages done", strerror(-err), progress.nr_done);
		fflush(stdout);
		_exit(3);
	}
	ferry_job_close(job);
	if (!adds_up(&result) || !is_intact(mem, len, 3) || !all_on(mem, len, node))
		_exit(4);
	print_result(&result);
	return result.pages_by_mover[FERRY_MOVER_EXCHANGE];
}

static uint64_t held_bytes(struct ferry *ferry)
{
	struct ferry_stats stats = FERRY_STATS_INIT;

	ferry_get_stats(ferry, &stats);
	return stats.pool_bytes;
}

static struct ferry *open_capped(uint64_t cap_bytes)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

	options.pool_cap_bytes = cap_bytes;
	return open_context(&options);
}

/* ---- the cases, each in a child: 0 is well ---- */

static int in_cgroup(bool huge)
{
	char *mem = memory_on(0, DATA, huge);
	struct ferry *ferry = open_capped(0);
	uint64_t nr = 0;

	for (int round = 0; round < 4; round++)
		nr += move_to(ferry, mem, DATA, !(round & 1), FERRY_MOVER_AUTO);
	ferry_close(ferry);
	tap_note("%lu of %lu pages exchanged", nr, 4 * DATA / PAGE_BYTES);
	return nr < DATA / PAGE_BYTES;
}

static int in_cgroup_small(void)
{
	return in_cgroup(false);
}

static int in_cgroup_huge(void)
{
	return in_cgroup(true);
}

static int in_cgroup_by_call(bool by_exchange)
{
	struct ferry_stats stats = FERRY_STATS_INIT;
	size_t nr = DATA / PAGE_BYTES;
	char *mem = memory_on(0, DATA, false);
	struct ferry *ferry = open_capped(0);
	void **pages = malloc(nr * sizeof(*pages));
	int *nodes = malloc(nr * sizeof(*nodes)), *status = malloc(nr * sizeof(*status));

	for (size_t i = 0; i < nr; i++) {
		pages[i] = mem + i * PAGE_BYTES;
		nodes[i] = 1;
	}
	if (ferry_move_pages(ferry, 0, nr, pages, nodes, status, MPOL_MF_MOVE))
		return 5;
	ferry_get_stats(ferry, &stats);
	ferry_close(ferry);
	tap_note("%lu of %lu pages exchanged, %lu without frames",
		 stats.pages_by_mover[FERRY_MOVER_EXCHANGE], nr,
		 stats.pages_by_reason[FERRY_REASON_NO_FRAMES]);
	if (!is_intact(mem, DATA, 3) || !all_on(mem, DATA, 1))
		return 6;
	return by_exchange ? stats.pages_by_mover[FERRY_MOVER_EXCHANGE] != nr
			   : !stats.pages_by_reason[FERRY_REASON_NO_FRAMES];
}

static int in_cgroup_with_room(void)
{
	return in_cgroup_by_call(true);
}

static int in_cgroup_without_room(void)
{
	return in_cgroup_by_call(false);
}

/* All is exchanged, and each of the two pools keeps its cap, give or take an extent. */
static int capped(void)
{
	char *mem = memory_on(0, LARGE, false);
	struct ferry *ferry = open_capped(CAP);
	uint64_t nr = move_to(ferry, mem, LARGE, 1, FERRY_MOVER_AUTO), held = held_bytes(ferry);

	tap_note("%lu of %lu pages exchanged, %lu MiB held", nr, LARGE / PAGE_BYTES, held >> 20);
	if (nr != LARGE / PAGE_BYTES || held > 2 * (CAP + EXTENT_BYTES))
		return 1;
	nr = move_to(ferry, mem, LARGE, 0, FERRY_MOVER_AUTO);
	held = held_bytes(ferry);
	tap_note("%lu of %lu pages exchanged, %lu MiB held", nr, LARGE / PAGE_BYTES, held >> 20);
	return nr != LARGE / PAGE_BYTES || held > 2 * (CAP + EXTENT_BYTES);
}

/* A small program that moves itself again and again grows by what it moves, and an extent. */
static int to_and_fro(void)
{
	size_t len = 50UL << 20;
	char *mem = memory_on(0, len, false);
	struct ferry *ferry = open_capped(0);
	uint64_t most = 0;

	for (int round = 0; round < NR_ROUNDS; round++) {
		move_to(ferry, mem, len, !(round & 1), FERRY_MOVER_AUTO);
		most = MAX(most, held_bytes(ferry));
	}
	tap_note("%lu MiB held", most >> 20);
	return most > len + EXTENT_BYTES;
}

/* A few pages cost no more than a chunk's frames. */
static int few_pages(void)
{
	size_t len = 64 * PAGE_BYTES;
	char *mem = memory_on(0, len, false);
	struct ferry *ferry = open_capped(0);
	uint64_t held;

	move_to(ferry, mem, len, 1, FERRY_MOVER_EXCHANGE);
	held = held_bytes(ferry);
	tap_note("%lu KiB held", held >> 10);
	return held > HUGE_BYTES + len;
}

/* Another process moves the pools' frames: those are not used, and not kept either. */
static int moved_by_another(void)
{
	size_t len = 50UL << 20;
	unsigned long from = 1, to = 2;
	char *mem = memory_on(0, len, false);
	struct ferry *ferry = open_capped(0);
	pid_t self = getpid();
	uint64_t most = 0;

	for (int round = 0; round < 6; round++) {
		pid_t pid;
		int status;

		move_to(ferry, mem, len, 1, FERRY_MOVER_EXCHANGE);
		pid = fork();
		if (!pid)
			_exit(syscall(SYS_migrate_pages, self, 64, &from, &to) < 0);
		if (waitpid(pid, &status, 0) != pid || status)
			return 5;
		move_to(ferry, mem, len, 0, FERRY_MOVER_EXCHANGE);
		most = MAX(most, held_bytes(ferry));
	}
	tap_note("%lu MiB held", most >> 20);
	return most > len + 2 * EXTENT_BYTES;
}

static uint64_t committed_bytes(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[256];
	uint64_t kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Committed_AS: %lu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib << 10;
}

/* With vm.overcommit_memory 2 the kernel charges what could be written, used or not. */
static int committed(void)
{
	size_t len = 8UL << 20;
	char *mem = memory_on(0, len, false);
	uint64_t before, after;
	struct ferry *ferry;

	if (!put_word("/proc/sys/vm/overcommit_ratio", "90") ||
	    !put_word("/proc/sys/vm/overcommit_memory", "2"))
		return 2;
	before = committed_bytes();
	ferry = open_capped(512UL << 20);
	move_to(ferry, mem, len, 1, FERRY_MOVER_EXCHANGE);
	after = committed_bytes();
	put_word("/proc/sys/vm/overcommit_memory", "0");
	tap_note("%lu MiB committed", (after - before) >> 20);
	return after - before > 2 * EXTENT_BYTES + (16UL << 20);
}

static void try_case(int (*one)(void), const char *max, const char *name)
{
	bool limited = false;
	int status;
	pid_t pid;

	if (max) {
		mkdir(CGROUP, 0755);
		limited = put_word(CGROUPS "cgroup.subtree_control", "+memory") &&
			  put_word(CGROUP "memory.max", max);
	}
	if (max && !limited) {
		tap_skip("no memory cgroup", "%s", name);
		return;
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		watchdog(200, name);
		if (max && !put_word(CGROUP "cgroup.procs", "0"))
			_exit(2);
		status = one();
		fflush(stdout);
		_exit(status);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		tap_note("killed by signal %d", WTERMSIG(status));
	else if (status)
		tap_note("exit status %d", WEXITSTATUS(status));
	tap_ok(!status, "%s", name);
	if (max)
		rmdir(CGROUP);
}

int main(void)
{
	struct ferry *ferry = open_context(NULL);
	const char *lack = no_exchange(ferry);

	ferry_close(ferry);
	if (lack) {
		printf("1..0 # SKIP %s\n", lack);
		return 77;
	}
	tap_plan(9);
	try_case(in_cgroup_small, "480M", "400 MiB of small pages below a limit of 480");
	try_case(in_cgroup_huge, "480M", "400 MiB of huge pages below a limit of 480");
	try_case(in_cgroup_with_room, "480M", "400 MiB by ferry_move_pages below a limit of 480");
	try_case(in_cgroup_without_room, "420M", "the same below 420: the kernel mover moves them");
	try_case(capped, NULL, "900 MiB with a cap of 64");
	try_case(to_and_fro, NULL, "50 MiB to and fro");
	try_case(few_pages, NULL, "64 pages");
	try_case(moved_by_another, NULL, "frames that another process has moved");
	try_case(committed, NULL, "vm.overcommit_memory 2");
	put_word("/proc/sys/vm/overcommit_memory", "0");
	return tap_done();
}
