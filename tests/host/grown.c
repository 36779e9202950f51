// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * mremap(2) makes memory longer while a job moves it. After the job the library's userfaultfd has
 * none of it registered any more, so the program can register it with its own.
 */
#include <linux/userfaultfd.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN  (4UL << 20)
#define SEED 6

static struct ferry *ferry;
static char *mem;        /* where the memory is now */
static char *elsewhere;  /* where it grows to; NULL: in place */
static atomic_uint when; /* the ioctl after which it grows; 0: none */

static bool memory_grow(void)
{
	long flags = elsewhere ? MREMAP_MAYMOVE | MREMAP_FIXED : 0;
	long at = sys_raw(SYS_mremap, (long)mem, LEN, 2 * LEN, flags, (long)elsewhere, 0);

	if (sys_is_error(at))
		return false;
	mem = (char *)at;
	return true;
}

/* Grows the memory once, right after the ioctl `when`. */
static bool grow_hook(long nr, const long args[6], long *ret)
{
	unsigned int request = (unsigned int)args[1];

	if (nr != SYS_ioctl || !atomic_load(&when) || request != atomic_load(&when))
		return false;
	if (request == UFFDIO_REGISTER &&
	    ((struct uffdio_register *)args[2])->range.start != (uintptr_t)mem)
		return false;
	*ret = sys_raw(nr, args[0], args[1], args[2], 0, 0, 0);
	atomic_store(&when, 0);
	if (!memory_grow())
		abort();
	return true;
}

/* Tries to register the range with another userfaultfd: a mapping has only one. */
static bool range_is_unwatched(char *at, size_t len)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register watch = {
		.range = {.start = (uintptr_t)at, .len = len},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	bool free = fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &watch);

	if (!free)
		tap_note("register: %s", strerror(errno));
	close(fd);
	return free;
}

static bool job_releases_grown(unsigned int request, char *to, size_t nr_touched)
{
	struct move move = {.ferry = ferry, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
	bool ok;

	/* Leaves room behind the memory. */
	mem = memory_new(2 * LEN, false);
	munmap(mem + LEN, LEN);
	fill(mem, nr_touched, SEED);
	move.addr = mem;
	elsewhere = to;
	atomic_store(&when, request);
	ok = !move_run(&move) && !atomic_load(&when);
	if (!ok)
		tap_note("the memory did not grow");
	ok = ok && is_intact(mem, nr_touched, SEED) && range_is_unwatched(mem, 2 * LEN);
	munmap(mem, 2 * LEN);
	return ok;
}

int main(void)
{
	char *room = memory_new(2 * LEN, false);

	ferry = open_exchanging_context(NULL);
	__atomic_store_n(&sys_hook, grow_hook, __ATOMIC_RELEASE);
	watchdog(60, "grown memory");
	tap_plan(3);
	tap_ok(job_releases_grown(UFFDIO_REGISTER, NULL, LEN), "memory that grows in place");
	tap_ok(job_releases_grown(UFFDIO_MOVE, NULL, LEN - HUGE_BYTES / 2),
	       "memory that grows while its pages are in flight, and whose last pages were never "
	       "touched");
	tap_ok(job_releases_grown(UFFDIO_REGISTER, room, LEN),
	       "memory that grows and moves elsewhere");
	ferry_close(ferry);
	return tap_done();
}
