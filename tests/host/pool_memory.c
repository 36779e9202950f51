// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What memory a context uses: when it is opened, after moves, with all memory locked, below limits
 * of the process, and in a memory cgroup. A child does each case, because a limit stays, and
 * because the kernel may kill it.
 */
#include <linux/mempolicy.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/vault.h"
#include "lib/core/context.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define MIB        (1UL << 20)
#define NR_WORKERS 16
#define WORKERS    "pack:1 core:16 pu:1"
#define SMALL      (8 * MIB)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* A field of /proc/self/status in bytes. */
static uint64_t process_bytes(const char *name)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			kib = strtoull(line + strlen(name) + 1, NULL, 10);
	if (file)
		fclose(file);
	return kib << 10;
}

static struct ferry *open_with(uint64_t cap_bytes, const char *synthetic)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

	options.pool_cap_bytes = cap_bytes;
	options.synthetic = synthetic;
	options.nr_workers = synthetic ? NR_WORKERS : 2;
	return open_context(&options);
}

/* Moves the memory, and ends the child if a byte is wrong. Returns how many pages were exchanged.
 */
static uint64_t move_all(struct ferry *ferry, char *mem, size_t len, enum ferry_mover mover)
{
	struct move move = {.ferry = ferry, .addr = mem, .len = len, .mover = mover};

	if (move_run(&move) || !adds_up(&move.result) || !is_intact(mem, len, 5))
		_exit(3);
	print_result(&move.result);
	return exchanged(&move);
}

static char *filled(size_t len)
{
	char *mem = memory_new(len, false);

	fill(mem, len, 5);
	return mem;
}

static bool at_most(const char *what, uint64_t bytes, uint64_t most)
{
	tap_note("%s: %lu KiB, at most %lu", what, bytes >> 10, most >> 10);
	return bytes <= most;
}

/* ---- the cases: 0 is well ---- */

static int opened(void)
{
	uint64_t before = process_bytes("RssAnon");
	struct ferry *ferry = open_with(0, WORKERS);
	uint64_t after = process_bytes("RssAnon");

	ferry_close(ferry);
	return !at_most("open", after - before, 2 * MIB);
}

static int moved(void)
{
	size_t len = 64 * MIB;
	char *mem = filled(len);
	uint64_t before = process_bytes("RssAnon"), after;
	struct ferry *ferry = open_with(0, WORKERS);

	move_all(ferry, mem, len, FERRY_MOVER_EXCHANGE);
	move_all(ferry, mem, len, FERRY_MOVER_KERNEL);
	ferry_trim(ferry);
	after = process_bytes("RssAnon");
	return !at_most("after moves", after - before, 2 * MIB + NR_WORKERS * MIB / 2);
}

static int huge_cap(void)
{
	char *mem = filled(SMALL);
	uint64_t before = process_bytes("RssAnon"), after;
	struct ferry *ferry = open_with(1000UL << 30, NULL);

	move_all(ferry, mem, SMALL, FERRY_MOVER_EXCHANGE);
	after = process_bytes("RssAnon");
	return !at_most("a cap of 1000 GiB", after - before, SMALL + 6 * MIB);
}

/* What is locked anyway is the context's own memory: some 2 MiB a worker, and a cache of blocks. */
#define LOCKED_MOST (SMALL + 16 * MIB)

static int locked_before(void)
{
	char *mem = filled(SMALL);
	uint64_t locked, resident;
	struct ferry *ferry;

	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return 77;
	locked = process_bytes("VmLck");
	resident = process_bytes("RssAnon");
	ferry = open_with(512 * MIB, NULL);
	move_all(ferry, mem, SMALL, FERRY_MOVER_EXCHANGE);
	return !at_most("locked", process_bytes("VmLck") - locked, LOCKED_MOST) ||
	       !at_most("resident", process_bytes("RssAnon") - resident, LOCKED_MOST);
}

static int locked_between(void)
{
	char *mem = filled(SMALL);
	struct ferry *ferry = open_with(512 * MIB, NULL);
	uint64_t resident = process_bytes("RssAnon"), nr;

	move_all(ferry, mem, SMALL, FERRY_MOVER_EXCHANGE);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return 77;
	for (int round = 0; round < 3; round++)
		move_all(ferry, mem, SMALL, FERRY_MOVER_EXCHANGE);
	if (!at_most("resident", process_bytes("RssAnon") - resident, LOCKED_MOST + 64 * MIB))
		return 1;
	/* Frames can be freed though they were locked, and new extents hold no frame unasked. */
	ferry_trim(ferry);
	move_all(ferry, mem, SMALL, FERRY_MOVER_EXCHANGE);
	if (!at_most("resident besides frames",
		     process_bytes("RssAnon") - resident - pools_held_bytes(&ferry->pools),
		     13 * MIB))
		return 2;
	munlockall();
	ferry_trim(ferry);
	nr = move_all(ferry, mem, SMALL, FERRY_MOVER_EXCHANGE);
	return nr != SMALL / PAGE_BYTES ||
	       !at_most("resident in the end", process_bytes("RssAnon") - resident, LOCKED_MOST);
}

/* The program can still map most of what its limit left. */
static int address_space(void)
{
	struct rlimit limit;
	char *mem = filled(SMALL);
	struct ferry *ferry;

	limit.rlim_cur = limit.rlim_max = process_bytes("VmSize") + 1536 * MIB;
	if (setrlimit(RLIMIT_AS, &limit))
		return 77;
	ferry = open_with(512 * MIB, NULL);
	move_all(ferry, mem, SMALL, FERRY_MOVER_EXCHANGE);
	tap_note("address space: %lu of %lu MiB", process_bytes("VmSize") >> 20,
		 (unsigned long)limit.rlim_cur >> 20);
	return mmap(NULL, 1024 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static int data_limit(void)
{
	struct rlimit limit;
	char *mem = filled(SMALL);
	struct ferry *ferry = open_with(512 * MIB, NULL);

	limit.rlim_cur = limit.rlim_max = process_bytes("VmData") + 60 * MIB;
	if (setrlimit(RLIMIT_DATA, &limit))
		return 77;
	move_all(ferry, mem, SMALL, FERRY_MOVER_EXCHANGE);
	return mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

/* ---- requests that name the library's own frames ---- */

static atomic_ulong nr_frames_named; /* to the kernel, in calls that move */

static bool naming_hook(long nr, const long args[6], long *ret __maybe_unused)
{
	void *const *pages = (void *const *)args[2];
	uintptr_t start, end;

	for (long i = 0; nr == SYS_move_pages && args[3] && i < args[1]; i++)
		if (vault_find_reserved((uintptr_t)pages[i], &start, &end))
			atomic_fetch_add(&nr_frames_named, 1);
	return false;
}

static bool all_absent(const int *status, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (status[i] != -ENOENT) {
			tap_note("page %zu: status %d", i, status[i]);
			return false;
		}
	return true;
}

/* Some pages of the program's own, and the first bays of the pool that holds the frames. */
static int frames_named(void)
{
	enum { NR_OWN = 512, NR = 3 * PAGES_PER_HUGE };
	static void *pages[NR];
	static int nodes[NR], status[NR];
	struct ferry *ferry = open_with(0, NULL);
	char *mem = filled(SMALL), *frames;
	struct move move = {.ferry = ferry, .len = 2 * HUGE_BYTES, .mover = FERRY_MOVER_KERNEL};
	uint64_t held;

	move_all(ferry, mem, SMALL, FERRY_MOVER_EXCHANGE);
	frames = (char *)pools_get_open(&ferry->pools, some_node(), false)->base;
	held = pools_held_bytes(&ferry->pools);
	for (size_t i = 0; i < NR; i++) {
		pages[i] = i < NR_OWN ? mem + i * PAGE_BYTES : frames + (i - NR_OWN) * PAGE_BYTES;
		nodes[i] = some_node();
	}
	__atomic_store_n(&sys_hook, naming_hook, __ATOMIC_RELEASE);
	if (ferry_move_pages(ferry, 0, NR, pages, nodes, status, MPOL_MF_MOVE))
		return 4;
	for (size_t i = 0; i < NR_OWN; i++)
		if (status[i] != some_node())
			return 5;
	if (!all_absent(status + NR_OWN, NR - NR_OWN))
		return 6;
	move.addr = frames;
	move.status = status;
	for (int mover = 0; mover < FERRY_NR_MOVERS; mover++) {
		move.mover = mover ? FERRY_MOVER_EXCHANGE : FERRY_MOVER_KERNEL;
		memset(status, 0x55, sizeof(status));
		if (move_run(&move) || !adds_up(&move.result) ||
		    !all_absent(status, 2 * PAGES_PER_HUGE))
			return 7;
	}
	tap_note("%lu frames named to the kernel", atomic_load(&nr_frames_named));
	return atomic_load(&nr_frames_named) || pools_held_bytes(&ferry->pools) != held ||
	       move_all(ferry, mem, SMALL, FERRY_MOVER_EXCHANGE) != SMALL / PAGE_BYTES;
}

/* ---- in a memory cgroup ---- */

static char group[256];

static bool put_word(const char *dir, const char *name, const char *word)
{
	char path[512];
	FILE *file;
	bool good;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	good = file && fputs(word, file) >= 0;
	if (file)
		good &= !fclose(file);
	return good;
}

static bool group_make(const char *mount, const char *limit_file, uint64_t limit)
{
	char text[32];

	snprintf(group, sizeof(group), "%s/ferry-test-%d", mount, (int)getpid());
	snprintf(text, sizeof(text), "%lu", limit);
	if (mkdir(group, 0755))
		return false;
	if (put_word(group, limit_file, text))
		return true;
	rmdir(group);
	return false;
}

static bool group_open(uint64_t limit)
{
	if (group_make("/sys/fs/cgroup/memory", "memory.limit_in_bytes", limit))
		return true;
	put_word("/sys/fs/cgroup", "cgroup.subtree_control", "+memory");
	return group_make("/sys/fs/cgroup", "memory.max", limit);
}

#define GROUP_DATA  (96 * MIB)
#define GROUP_LIMIT (116 * MIB)

static int in_group(void)
{
	char *mem;
	struct ferry *ferry;

	if (!put_word(group, "cgroup.procs", "0"))
		return 77;
	mem = filled(GROUP_DATA);
	ferry = open_with(0, NULL);
	for (int round = 0; round < 4; round++)
		move_all(ferry, mem, GROUP_DATA, FERRY_MOVER_EXCHANGE);
	ferry_close(ferry);
	return 0;
}

/* The limit shrinks below what pools hold: the watcher frees the frames though a job runs. */
static int shrinks(void)
{
	struct ferry_stats stats = FERRY_STATS_INIT;
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct ferry *ferry;
	uint64_t held;
	char *mem;

	if (!put_word(group, "cgroup.procs", "0"))
		return 77;
	mem = filled(SMALL);
	options.pool_prefill_bytes = 48 * MIB;
	ferry = open_context(&options);
	ferry_get_stats(ferry, &stats);
	tap_note("%lu MiB of frames", (unsigned long)(stats.pool_bytes >> 20));
	if (stats.pool_bytes < 48 * MIB)
		return 4;
	move_all(ferry, mem, SMALL, FERRY_MOVER_EXCHANGE);
	/* Memory of the program's own leaves less and less for the frames. */
	ferry_get_stats(ferry, &stats);
	held = stats.pool_bytes;
	filled(GROUP_LIMIT - held - SMALL - 10 * MIB);
	for (unsigned int turn = 1; stats.pool_bytes == held; turn++) {
		if (turn % 200 == 0 && turn <= 1000)
			filled(MIB);
		usleep(10000);
		ferry_get_stats(ferry, &stats);
	}
	move_all(ferry, mem, SMALL, FERRY_MOVER_EXCHANGE);
	ferry_close(ferry);
	return 0;
}

/* ---- all ---- */

static void try_case(int (*one)(void), bool grouped, const char *name)
{
	int status;
	pid_t pid;

	if (grouped && !group_open(GROUP_LIMIT)) {
		tap_skip("no memory cgroup can be made", "%s", name);
		return;
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		watchdog(60, name);
		status = one();
		fflush(stdout);
		_exit(status);
	}
	waitpid(pid, &status, 0);
	if (grouped)
		rmdir(group);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		tap_skip("not permitted", "%s", name);
		return;
	}
	if (WIFSIGNALED(status))
		tap_note("killed by signal %d", WTERMSIG(status));
	else if (status)
		tap_note("exit status %d", WEXITSTATUS(status));
	tap_ok(!status, "%s", name);
}

int main(void)
{
	if (SANITIZED) {
		printf("1..0 # SKIP a sanitizer uses memory of its own\n");
		return 0;
	}
	ferry_close(open_exchanging_context(NULL));
	tap_plan(10);
	try_case(opened, false, "a context of 16 workers that has not moved anything");
	try_case(moved, false, "16 workers that have moved pages");
	try_case(huge_cap, false, "a cap far beyond the machine's memory");
	try_case(locked_before, false, "mlockall before the context is opened");
	try_case(locked_between, false, "mlockall between moves");
	try_case(address_space, false, "RLIMIT_AS");
	try_case(data_limit, false, "RLIMIT_DATA");
	try_case(frames_named, false, "frames of the library in requests");
	try_case(in_group, true, "96 MiB in a cgroup of 116");
	try_case(shrinks, true, "frames are freed where the cgroup has no room left");
	return tap_done();
}
