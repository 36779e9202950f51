// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program that closes all descriptors, as daemons do, while pages of its own are in flight and
 * between moves; then it has files of its own under all numbers that the library had. No page is
 * lost, nothing hangs, pages can be moved as before, and the library neither writes to the
 * program's files nor closes them.
 */
#include <dirent.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN     (8UL << 20)
#define SEED    21
#define MAX_FDS 2048

static struct ferry *ferry;
static char *mem;
static atomic_uint nr_taken_out;
static atomic_bool refuse; /* what the watcher's own table needs */

static bool count_moves(long nr, const long args[6], long *ret)
{
	if (nr == SYS_ioctl && (unsigned long)args[1] == UFFDIO_MOVE)
		atomic_fetch_add(&nr_taken_out, 1);
	if (nr != SYS_pidfd_getfd || !atomic_load(&refuse))
		return false;
	*ret = -EPERM;
	return true;
}

/* ---- the program's own files ---- */

static char path[] = "/tmp/close_all.XXXXXX";
static int fds[MAX_FDS]; /* the library's, then the program's */
static unsigned int nr_fds;

/* The descriptors that are open now and are not in the list. */
static void list_fds(bool *seen)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (fd > 2 && fd < MAX_FDS && fd != dirfd(dir))
			seen[fd] = true;
	}
	closedir(dir);
}

static void close_all(void)
{
	if (syscall(SYS_close_range, 3, ~0U, 0))
		abort();
}

/* An empty file, and every third time an eventfd, under each number. */
static void occupy(void)
{
	for (unsigned int i = 0; i < nr_fds; i++) {
		int fd = i % 3 == 2 ? eventfd(0, EFD_NONBLOCK) : open(path, O_RDWR);

		if (fd != fds[i] && (dup2(fd, fds[i]) < 0 || close(fd)))
			abort();
	}
}

static bool files_are_untouched(void)
{
	for (unsigned int i = 0; i < nr_fds; i++) {
		struct stat st;
		uint64_t count;

		if (fstat(fds[i], &st)) {
			tap_note("descriptor %d has been closed", fds[i]);
			return false;
		}
		if (st.st_size) {
			tap_note("%ld bytes have been written to descriptor %d", (long)st.st_size,
				 fds[i]);
			return false;
		}
		if (i % 3 == 2 && read(fds[i], &count, sizeof(count)) == sizeof(count)) {
			tap_note("the eventfd %d has been written to", fds[i]);
			return false;
		}
	}
	return true;
}

/* ---- moves ---- */

static atomic_bool stop, saw_wrong;

/* Touches pages while they are in flight: each must have its content. */
static void *read_often(void *arg __maybe_unused)
{
	while (!atomic_load(&stop))
		if (first_wrong(mem, LEN, SEED) >= 0)
			atomic_store(&saw_wrong, true);
	return NULL;
}

/* With the exchange mover, if it is kept. */
static bool move_all(bool kept)
{
	struct move move = {.ferry = ferry, .addr = mem, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
	int err = move_run(&move);

	if (err || move.result.nr_failed)
		print_result(&move.result);
	return !err && !move.result.nr_failed && adds_up(&move.result) &&
	       (!kept || exchanged(&move));
}

static bool close_during_move(void)
{
	struct move move = {.ferry = ferry, .addr = mem, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
	struct ferry_job *job;
	pthread_t reader;
	struct stat st;
	int number;
	bool ok;

	atomic_store(&stop, false);
	pthread_create(&reader, NULL, read_often, NULL);
	atomic_store(&nr_taken_out, 0);
	if (move_submit(&move, &job))
		return false;
	number = ferry_job_fd(job);
	while (!atomic_load(&nr_taken_out) && ferry_job_wait(job, 0))
		sched_yield();
	close_all();
	/* A file of the program under the number of the job's eventfd. */
	dup2(open(path, O_RDWR), number);
	ok = !ferry_job_wait(job, WAIT_NS);
	if (ok)
		ferry_job_close(job);
	ok &= !fstat(number, &st) && !st.st_size;
	atomic_store(&stop, true);
	pthread_join(reader, NULL);
	return ok && !atomic_load(&saw_wrong) && is_intact(mem, LEN, SEED);
}

static bool child_is_fine(void)
{
	pid_t child = fork();
	int status;

	if (!child) {
		alarm(60);
		ferry_close(ferry);
		_exit(!files_are_untouched());
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

static void open_here(const struct ferry_options *options)
{
	static bool before[MAX_FDS], after[MAX_FDS];

	memset(before, 0, sizeof(before));
	memset(after, 0, sizeof(after));
	list_fds(before);
	ferry = open_context(options);
	list_fds(after);
	nr_fds = 0;
	for (int fd = 3; fd < MAX_FDS; fd++)
		if (after[fd] && !before[fd])
			fds[nr_fds++] = fd;
}

static bool all_are_high(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	for (unsigned int i = 0; i < nr_fds; i++)
		if (fds[i] < 512 && limit.rlim_cur > 600)
			return false;
	return nr_fds;
}

int main(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

	options.nr_workers = 2;
	/* Keeps pages in flight for that long. */
	options.engine = "fault:every=1,what=delay,delay_us=50000";
	close(mkstemp(path));
	__atomic_store_n(&sys_hook, count_moves, __ATOMIC_RELEASE);
	mem = memory_new(LEN, false);
	fill(mem, LEN, SEED);
	watchdog(300, "the first context");
	ferry_close(open_exchanging_context(NULL));
	close_all();
	open_here(&options);
	tap_plan(11);
	tap_ok(all_are_high(), "%u descriptors, all of them with high numbers", nr_fds);
	watchdog(300, "closing all descriptors between moves");
	tap_ok(move_all(true), "a move");
	close_all();
	tap_ok(move_all(true) && is_intact(mem, LEN, SEED),
	       "a move after all descriptors were closed");
	watchdog(300, "closing all descriptors during a move");
	tap_ok(close_during_move(), "descriptors closed while pages are in flight: none is lost");
	tap_ok(close_during_move(), "and again");
	watchdog(300, "the program's own files");
	close_all();
	occupy();
	tap_ok(move_all(true) && files_are_untouched(),
	       "a move beside files under the same numbers");
	tap_ok(child_is_fine(), "a child's files under the same numbers stay open");
	ferry_close(ferry);
	tap_ok(files_are_untouched(), "and the program's, when the context is closed");

	watchdog(300, "without a table of the watcher's own");
	close_all();
	atomic_store(&refuse, true);
	open_here(&options);
	/* Pages that a child has shared cannot be exchanged until they are written. */
	fill(mem, LEN, SEED);
	tap_ok(move_all(true), "where the kernel refuses the watcher a table: a move");
	/* After a job the library opens files for moments, here in the program's table. */
	usleep(500000);
	close_all();
	occupy();
	tap_ok(move_all(false) && is_intact(mem, LEN, SEED) && files_are_untouched(),
	       "all descriptors closed, between moves");
	ferry_close(ferry);
	tap_ok(files_are_untouched(), "and the context closed");
	unlink(path);
	return tap_done();
}
