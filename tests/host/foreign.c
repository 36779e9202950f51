// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * While a job runs, the program unmaps a part of the memory, maps it anew and registers it with a
 * userfaultfd of its own. From then on these pages are not taken out: a thread that touches an
 * absent one would wait for the program, which knows nothing of it. After the job the program's
 * userfaultfd still watches them.
 */
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN  (8UL << 20)
#define HALF (LEN / 2)
#define SEED 8

static struct ferry *ferry;
static char *_Atomic mem;
static int own_fd;
static atomic_uint step;

enum { STEP_TURN, STEP_TAKEN, STEP_DONE };

/* Waits for the main thread when the library begins to look at the second half. */
static bool scan_hook(long nr, const long args[6], long *ret __maybe_unused)
{
	uintptr_t at = 0;

	if (nr == SYS_ioctl && (unsigned long)args[1] == PAGEMAP_SCAN)
		at = ((const struct pm_scan_arg *)args[2])->start;
	else if (nr == SYS_pread64)
		at = (uintptr_t)args[3] / 8 * PAGE_BYTES;
	/* The plan, which the main thread makes, looks too. */
	if (at < (uintptr_t)mem + HALF || at >= (uintptr_t)mem + LEN ||
	    atomic_load(&step) != STEP_TURN ||
	    sys_raw(SYS_gettid, 0, 0, 0, 0, 0, 0) == sys_raw(SYS_getpid, 0, 0, 0, 0, 0, 0))
		return false;
	atomic_store(&step, STEP_TAKEN);
	while (atomic_load(&step) != STEP_DONE)
		sys_raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	return false;
}

/* The second half becomes other memory, which the program watches itself. */
static bool replace_half(uint64_t mode)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = mode == UFFDIO_REGISTER_MODE_WP ? UFFD_FEATURE_PAGEFAULT_FLAG_WP : 0};
	struct uffdio_register watch = {.range = {(uintptr_t)mem + HALF, HALF}, .mode = mode};

	if (munmap(mem + HALF, HALF) ||
	    mmap(mem + HALF, HALF, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) != mem + HALF)
		return false;
	madvise(mem + HALF, HALF, MADV_NOHUGEPAGE);
	fill(mem + HALF, HALF, SEED + 1);
	own_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	return own_fd >= 0 && !ioctl(own_fd, UFFDIO_API, &api) &&
	       !ioctl(own_fd, UFFDIO_REGISTER, &watch);
}

/* A mapping has only one userfaultfd. */
static bool half_is_watched(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register watch = {.range = {(uintptr_t)mem + HALF, HALF},
					.mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	bool busy = fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && ioctl(fd, UFFDIO_REGISTER, &watch) &&
		    errno == EBUSY;

	close(fd);
	return busy;
}

static bool job_leaves_alone(uint64_t mode)
{
	struct move move = {
		.ferry = ferry, .len = LEN, .mover = FERRY_MOVER_EXCHANGE, .nr_workers = 1};
	struct ferry_job *job;
	bool ok;

	mem = move.addr = memory_new(LEN, false);
	fill(mem, LEN, SEED);
	atomic_store(&step, STEP_TURN);
	if (move_submit(&move, &job))
		return false;
	while (atomic_load(&step) != STEP_TAKEN)
		sched_yield();
	ok = replace_half(mode);
	atomic_store(&step, STEP_DONE);
	ok &= !ferry_job_wait(job, WAIT_NS);
	move.result = (struct ferry_result)FERRY_RESULT_INIT;
	ok &= !ferry_job_result(job, &move.result) && adds_up(&move.result);
	ferry_job_close(job);
	ok &= exchanged(&move) == HALF / PAGE_BYTES &&
	      move.result.pages_by_reason[FERRY_REASON_UFFD_BUSY] == HALF / PAGE_BYTES;
	if (!ok)
		print_result(&move.result);
	ok &= half_is_watched() && is_intact(mem, HALF, SEED) &&
	      is_intact(mem + HALF, HALF, SEED + 1);
	close(own_fd);
	munmap(mem, LEN);
	return ok;
}

int main(void)
{
	ferry = open_exchanging_context(NULL);
	__atomic_store_n(&sys_hook, scan_hook, __ATOMIC_RELEASE);
	watchdog(120, "memory that the program watches itself");
	tap_plan(2);
	tap_ok(job_leaves_alone(UFFDIO_REGISTER_MODE_MISSING), "missing pages");
	tap_ok(job_leaves_alone(UFFDIO_REGISTER_MODE_WP), "write protection");
	ferry_close(ferry);
	return tap_done();
}
