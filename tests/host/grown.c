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

/* ---- many ranges, and growth downwards ---- */

#define NR_PIECES 80 /* more than the library keeps a list of */

static char *piece_to;
static void (*after_register)(void);

static bool register_hook(long nr, const long args[6], long *ret)
{
	const struct uffdio_register *reg = (const void *)args[2];

	if (nr != SYS_ioctl || (unsigned int)args[1] != UFFDIO_REGISTER || !after_register ||
	    reg->range.start != (uintptr_t)mem)
		return false;
	*ret = sys_raw(nr, args[0], args[1], args[2], 0, 0, 0);
	after_register();
	after_register = NULL;
	return true;
}

/* Carries every other page elsewhere, to places that do not touch each other. */
static void carry_pieces(void)
{
	for (size_t i = 0; i < NR_PIECES; i++) {
		long from = (long)(mem + 2 * i * PAGE_BYTES);
		long to = (long)(piece_to + 2 * i * PAGE_BYTES);

		if (sys_raw(SYS_mremap, from, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
			    to, 0) != to)
			abort();
	}
}

static bool job_releases_pieces(void)
{
	struct move move = {.ferry = ferry, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
	bool ok;

	mem = memory_new(LEN, false);
	piece_to = memory_new(LEN, false);
	mprotect(piece_to, LEN, PROT_NONE);
	fill(mem, LEN, SEED);
	move.addr = mem;
	after_register = carry_pieces;
	ok = !move_run(&move) && !after_register;
	for (size_t i = 0; i < NR_PIECES && ok; i++)
		ok = range_is_unwatched(piece_to + 2 * i * PAGE_BYTES, PAGE_BYTES);
	munmap(piece_to, LEN);
	munmap(mem, LEN);
	return ok;
}

/* As a stack does. */
static void touch_below(void)
{
	*(volatile char *)(mem - PAGE_BYTES) = 1;
}

static bool job_releases_grown_down(void)
{
	struct move move = {.ferry = ferry, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
	char *room = memory_new(2 * LEN, false);
	bool ok;

	mem = room + LEN;
	munmap(room, 2 * LEN);
	if (mmap(mem, LEN, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0) != mem)
		return false;
	madvise(mem, LEN, MADV_NOHUGEPAGE);
	fill(mem, LEN, SEED);
	move.addr = mem;
	after_register = touch_below;
	ok = !move_run(&move) && !after_register && exchanged(&move) &&
	     range_is_unwatched(mem - PAGE_BYTES, LEN + PAGE_BYTES) && is_intact(mem, LEN, SEED);
	munmap(mem - PAGE_BYTES, LEN + PAGE_BYTES);
	return ok;
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
	tap_plan(5);
	tap_ok(job_releases_grown(UFFDIO_REGISTER, NULL, LEN), "memory that grows in place");
	tap_ok(job_releases_grown(UFFDIO_MOVE, NULL, LEN - HUGE_BYTES / 2),
	       "memory that grows while its pages are in flight, and whose last pages were never "
	       "touched");
	tap_ok(job_releases_grown(UFFDIO_REGISTER, room, LEN),
	       "memory that grows and moves elsewhere");
	__atomic_store_n(&sys_hook, register_hook, __ATOMIC_RELEASE);
	tap_ok(job_releases_pieces(), "%d pieces that move elsewhere", NR_PIECES);
	tap_ok(job_releases_grown_down(), "memory that grows downwards, as a stack does");
	ferry_close(ferry);
	return tap_done();
}
