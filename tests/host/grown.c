// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory that mremap(2) makes longer while it is being moved: when the job has ended the library
 * watches nothing of it any more, so the program can.
 */
#include <linux/userfaultfd.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "tests/host/tap.h"
#include "tests/testlib/moving.h"

#define LEN  (4UL << 20)
#define SEED 6

static struct ferry *ferry;
static char *mem;        /* where the memory is now */
static char *elsewhere;  /* NULL: it grows where it is */
static atomic_uint when; /* the ioctl at which it grows; 0: not */

static bool grow(void)
{
	long flags = elsewhere ? MREMAP_MAYMOVE | MREMAP_FIXED : 0;
	long at = sys_raw(SYS_mremap, (long)mem, LEN, 2 * LEN, flags, (long)elsewhere, 0);

	if (at < 0 && at > -4096)
		return false;
	mem = (char *)at;
	return true;
}

/* Once, right after the call it was set for. */
static bool hook(long nr, const long args[6], long *ret)
{
	unsigned int request = (unsigned int)args[1];

	if (nr != SYS_ioctl || !atomic_load(&when) || request != atomic_load(&when))
		return false;
	if (request == UFFDIO_REGISTER &&
	    ((struct uffdio_register *)args[2])->range.start != (uintptr_t)mem)
		return false;
	*ret = sys_raw(nr, args[0], args[1], args[2], 0, 0, 0);
	atomic_store(&when, 0);
	if (!grow())
		abort();
	return true;
}

/* Registers all of it with a userfaultfd of its own, which one of somebody else's would refuse. */
static bool nobody_watches(char *at, size_t len)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register watch = {
		.range = {.start = (uintptr_t)at, .len = len},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	bool free = fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &watch);

	if (!free)
		tap_note("to register it: %s", strerror(errno));
	close(fd);
	return free;
}

static bool is_let_go(unsigned int request, char *to, size_t nr_touched)
{
	struct move move = {.ferry = ferry, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
	bool ok;

	/* Room behind it. */
	mem = memory_new(2 * LEN, false);
	munmap(mem + LEN, LEN);
	fill(mem, nr_touched, SEED);
	move.addr = mem;
	elsewhere = to;
	atomic_store(&when, request);
	ok = !move_run(&move) && !atomic_load(&when);
	if (!ok)
		tap_note("it did not grow");
	ok = ok && is_intact(mem, nr_touched, SEED) && nobody_watches(mem, 2 * LEN);
	munmap(mem, 2 * LEN);
	return ok;
}

int main(void)
{
	char *room = memory_new(2 * LEN, false);

	ferry = open_exchanging_context(NULL);
	__atomic_store_n(&sys_hook, hook, __ATOMIC_RELEASE);
	watchdog(60, "grown memory");
	tap_plan(3);
	tap_ok(is_let_go(UFFDIO_REGISTER, NULL, LEN), "memory that grows where it is");
	tap_ok(is_let_go(UFFDIO_MOVE, NULL, LEN - HUGE_BYTES / 2),
	       "memory that grows while pages of it are out, its last ones never touched");
	tap_ok(is_let_go(UFFDIO_REGISTER, room, LEN), "memory that grows and is carried elsewhere");
	ferry_close(ferry);
	return tap_done();
}
