// SPDX-License-Identifier: LGPL-2.1-or-later
/* A program that has used up its descriptors forks while memory of its own is being moved. */
#include <dirent.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/core/context.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN      (8UL << 20)
#define NR_FORKS 16

static struct ferry *ferry;
static char *mem;

static unsigned int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	while (dir && readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

/* Takes all descriptors below the limit. Returns how many; they are the last ones in fds. */
static unsigned int use_up_descriptors(int *fds, unsigned int room)
{
	struct rlimit limit;
	unsigned int nr = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = room;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (nr < room && (fds[nr] = dup(0)) >= 0)
		nr++;
	return nr;
}

/* Pages are in flight now and then while the program forks. */
static struct ferry_job *start_slow_job(void)
{
	struct ferry_range range = {mem, LEN, some_node()};
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_job *job;

	request.ranges = &range;
	request.nr_ranges = 1;
	request.flags = FERRY_MOVE_ALWAYS;
	request.mover = FERRY_MOVER_EXCHANGE;
	request.chunk_bytes = 65536;
	request.max_bytes_per_s = 1 << 20;
	return ferry_submit(ferry, &request, &job) ? NULL : job;
}

static bool child_is_fine(pid_t child)
{
	int status;

	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

static bool forks_are_fine(void)
{
	bool ok = true;

	for (int i = 0; i < NR_FORKS && ok; i++) {
		pid_t child = i % 2 ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

		if (!child)
			_exit(!is_intact(mem, LEN, 3));
		ok = child_is_fine(child);
	}
	return ok;
}

int main(void)
{
	static int fds[256];
	unsigned int nr_before, nr_used;
	struct ferry_job *job;

	/* The first context opens files of /proc that the process keeps. */
	ferry_close(open_exchanging_context(NULL));
	nr_before = count_descriptors();
	ferry = open_context(NULL);
	/* A job registers its memory only while it moves it. With this, each fork is an event. */
	if (uffd_register(ferry->uffd, (uintptr_t)memory_new(HUGE_BYTES, false), HUGE_BYTES))
		abort();
	mem = memory_new(LEN, false);
	fill(mem, LEN, 3);
	tap_plan(4);
	job = start_slow_job();
	tap_ok(job, "a job that keeps memory registered");
	nr_used = use_up_descriptors(fds, ARRAY_SIZE(fds));
	watchdog(300, "forks without a free descriptor");
	tap_ok(nr_used && forks_are_fine(), "%d forks without a free descriptor", NR_FORKS);
	alarm(0);
	while (nr_used)
		close(fds[--nr_used]);
	tap_ok(forks_are_fine(), "and with free ones again");
	ferry_job_close(job);
	ferry_close(ferry);
	tap_ok(count_descriptors() == nr_before, "all descriptors are closed at the end");
	return tap_done();
}
