// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kernel merges memory (KSM) while a job moves it. Merged pages move or stay as they do for the
 * system call, and no byte is lost while pages merge, move, and are unmerged by writes. The test
 * switches KSM on and restores its settings.
 *
 * FERRY_TEST_SECONDS=N runs for N seconds; the default is one second.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "tests/testlib/moving.h"
#include "tests/testlib/random.h"
#include "tests/testlib/tap.h"

#define NR_TESTS    3
#define NR_WRITERS  2
#define NR_PAGES    1024UL
#define LEN         (NR_PAGES * PAGE_BYTES)
#define NR_CONTENTS 4 /* many pages have the same one */
#define WAIT_TURNS  2000

static char *arena;
static uint64_t seeds[NR_PAGES]; /* of each page's content */
static struct ferry *ferry;
static atomic_bool stop, failed;
static atomic_ulong nr_exchanged, nr_writes;

/* ---- KSM ---- */

static struct setting {
	const char *name;
	long wanted, before;
} settings[] = {
	{"pages_to_scan", 2000, -1},
	{"sleep_millisecs", 5, -1},
	{"run", 1, -1},
};

static long read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	long number = -1;

	if (f && fscanf(f, "%ld", &number) != 1)
		number = -1;
	if (f)
		fclose(f);
	return number;
}

static bool setting_write(const struct setting *setting, long value)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/mm/ksm/%s", setting->name);
	f = fopen(path, "we");
	if (!f)
		return false;
	fprintf(f, "%ld", value);
	return !fclose(f);
}

/*
 * The lock lets one test at a time change the settings. Without it a test could save the settings
 * of another one, and restore those for good.
 */
static bool ksm_switch_on(void)
{
	int lock = open("/sys/kernel/mm/ksm/run", O_RDONLY | O_CLOEXEC);
	char path[128];

	if (lock < 0 || flock(lock, LOCK_EX))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/mm/ksm/%s", settings[i].name);
		settings[i].before = read_number(path);
		if (settings[i].before < 0 || !setting_write(&settings[i], settings[i].wanted))
			return false;
	}
	return true;
}

static void ksm_restore(void)
{
	for (size_t i = ARRAY_SIZE(settings); i-- > 0;)
		if (settings[i].before >= 0)
			setting_write(&settings[i], settings[i].before);
}

static long ksm_nr_merged(void)
{
	return read_number("/proc/self/ksm_merging_pages");
}

/* ---- pages ---- */

static char *page_at(size_t page)
{
	return arena + page * PAGE_BYTES;
}

static void check_page(size_t page, const char *when)
{
	long at = first_wrong(page_at(page), PAGE_BYTES, seeds[page]);

	if (at >= 0 && !atomic_exchange(&failed, true))
		printf("# page %zu is wrong at %ld, %s\n", page, at, when);
}

static void write_page(size_t page, uint64_t seed)
{
	seeds[page] = seed % NR_CONTENTS;
	fill(page_at(page), PAGE_BYTES, seeds[page]);
}

static bool all_pages_right(const char *when)
{
	for (size_t page = 0; page < NR_PAGES; page++)
		check_page(page, when);
	return !failed;
}

static bool memory_merge(void)
{
	arena = memory_new(LEN, false);
	for (size_t page = 0; page < NR_PAGES; page++)
		write_page(page, page);
	if (madvise(arena, LEN, MADV_MERGEABLE))
		return false;
	for (int i = 0; i < WAIT_TURNS && ksm_nr_merged() < (long)NR_PAGES / 2; i++)
		usleep(10000);
	return ksm_nr_merged() >= (long)NR_PAGES / 2;
}

/* ---- tests ---- */

static void kernel_move_all(int *status)
{
	static void *pages[NR_PAGES];
	static int nodes[NR_PAGES];

	for (size_t page = 0; page < NR_PAGES; page++) {
		pages[page] = page_at(page);
		nodes[page] = some_node();
	}
	if (syscall(SYS_move_pages, 0, NR_PAGES, pages, nodes, status, 1 << 1 /* MPOL_MF_MOVE */))
		tap_note("move_pages(2): %s", strerror(errno));
}

static void test_merged(void)
{
	static int by_job[NR_PAGES], by_kernel[NR_PAGES];
	struct move move = {.ferry = ferry,
			    .addr = arena,
			    .len = LEN,
			    .mover = FERRY_MOVER_EXCHANGE,
			    .status = by_job};
	long before = ksm_nr_merged();
	int err = move_run(&move);

	print_result(&move.result);
	tap_note("%ld merged pages before, %ld after", before, ksm_nr_merged());
	tap_ok(!err && adds_up(&move.result) && all_pages_right("after a move"),
	       "a job moves merged pages: every byte is right");
	kernel_move_all(by_kernel);
	tap_ok(!memcmp(by_job, by_kernel, sizeof(by_job)),
	       "their statuses are those of the system call");
}

static void *writer_run(void *arg)
{
	size_t me = (size_t)arg;
	uint64_t state = me + 1;

	while (!stop && !failed) {
		uint64_t random = next_random(&state);
		size_t page = random % (NR_PAGES / NR_WRITERS) * NR_WRITERS + me;

		check_page(page, "before the next write");
		write_page(page, random >> 40);
		atomic_fetch_add(&nr_writes, 1);
	}
	return NULL;
}

static void *mover_run(void *arg __maybe_unused)
{
	while (!stop && !failed) {
		struct move move = {
			.ferry = ferry, .addr = arena, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};

		if ((move_run(&move) || !adds_up(&move.result)) && !atomic_exchange(&failed, true))
			printf("# a job failed\n");
		atomic_fetch_add(&nr_exchanged, exchanged(&move));
	}
	return NULL;
}

static void test_hammered(void)
{
	pthread_t threads[NR_WRITERS + 1];
	double left = test_seconds(1);
	long most = 0;

	for (size_t i = 0; i < NR_WRITERS; i++)
		pthread_create(&threads[i], NULL, writer_run, (void *)i);
	pthread_create(&threads[NR_WRITERS], NULL, mover_run, NULL);
	/* Goes on until a page has moved and one was written, however long that takes. */
	for (; (left > 0 || !nr_exchanged || !nr_writes) && !failed; left -= 0.05) {
		usleep(50000);
		most = MAX(most, ksm_nr_merged());
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i <= NR_WRITERS; i++)
		pthread_join(threads[i], NULL);
	tap_note("%lu pages exchanged, %lu written, at most %ld merged", nr_exchanged, nr_writes,
		 most);
	tap_ok(all_pages_right("at the end"), "pages merge, move and are written: no byte is lost");
}

static int test_all(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	const char *lack = NULL;

	watchdog(180 + 2 * (unsigned int)test_seconds(1), "KSM");
	options.nr_workers = 3;
	if (ferry_open(&ferry, &options))
		lack = ferry_open_error();
	if (!lack)
		lack = no_exchange(ferry);
	if (!lack && !memory_merge())
		lack = "KSM does not merge this memory";
	if (lack) {
		for (int i = 0; i < NR_TESTS; i++)
			tap_skip(lack, "KSM");
		return tap_done();
	}
	test_merged();
	test_hammered();
	ferry_close(ferry);
	return tap_done();
}

/* The test runs in a child, so that the parent restores KSM even if the test crashes. */
static pid_t child;

static void end_child(int sig __maybe_unused)
{
	kill(child, SIGKILL);
}

int main(void)
{
	int status = -1;

	tap_plan(NR_TESTS);
	signal(SIGTERM, end_child);
	signal(SIGINT, end_child);
	if (!ksm_switch_on()) {
		ksm_restore();
		for (int i = 0; i < NR_TESTS; i++)
			tap_skip("KSM can't be switched on", "KSM");
		return tap_done();
	}
	child = fork();
	if (!child) {
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		return test_all();
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	ksm_restore();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}
