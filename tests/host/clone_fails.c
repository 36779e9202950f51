// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A child of a bare clone(2), made while pages are out, and everything that gives it their content
 * fails; or the child changes its mappings, or has a child of its own, at that very moment. It
 * never sees a wrong byte: what can't be given to it is SIGBUS. And nothing hangs.
 */
#include <linux/userfaultfd.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "base/vault.h"
#include "base/uapi.h"
#include "tests/host/tap.h"
#include "tests/testlib/moving.h"

#define LEN        (4UL << 20)
#define SEED       5
#define MAX_ROUNDS 60

static struct ferry *ferry;
static char *mem;

/* ---- what fails ---- */

struct failing {
	const char *name;
	int (*in_child)(void);
	int ends;         /* the child's exit status */
	int copy_error;   /* of UFFDIO_COPY for the child */
	unsigned int one; /* of so many COPYs does not fail; 0: all do */
	bool scan, pagemap;
	bool slowly; /* copies take their time */
};

static const struct failing *_Atomic failing;
static atomic_uint nr_taken_out, nr_copies;
static atomic_int own_uffd = -1;

static bool child_copies(const struct failing *f, long *ret)
{
	struct timespec moment = {.tv_nsec = 200000};
	unsigned int nth = atomic_fetch_add(&nr_copies, 1) + 1;

	if (f->slowly && nth < 100)
		sys_raw(SYS_nanosleep, (long)&moment, 0, 0, 0, 0, 0);
	*ret = -f->copy_error;
	return f->copy_error && (!f->one || nth % f->one);
}

static bool hook(long nr, const long args[6], long *ret)
{
	const struct failing *f = atomic_load(&failing);

	if (nr == SYS_pread64 && f && f->pagemap) {
		*ret = -EIO;
		return true;
	}
	if (nr != SYS_ioctl || !f)
		return false;
	if ((unsigned long)args[1] == UFFDIO_COPY && args[0] != atomic_load(&own_uffd))
		return child_copies(f, ret);
	if ((unsigned long)args[1] == UFFDIO_MOVE) {
		atomic_store(&own_uffd, (int)args[0]);
		atomic_fetch_add(&nr_taken_out,
				 vault_overlaps((void *)((struct uffdio_move *)args[2])->dst, 1));
	}
	if ((unsigned long)args[1] == PAGEMAP_SCAN && f->scan &&
	    vault_overlaps((void *)((struct pm_scan_arg *)args[2])->start, 1)) {
		*ret = -ENOMEM;
		return true;
	}
	return false;
}

/* ---- children: only what a bare clone leaves usable ---- */

enum { INTACT, WRONG, BUS };

static sigjmp_buf after_bus;

static void on_bus(int sig)
{
	siglongjmp(after_bus, 1);
}

/* Content as it was filled, or zeros. */
static int look(const char *at, size_t from, size_t to, bool zeros)
{
	volatile int worst = INTACT;

	for (volatile size_t page = from; page < to; page += PAGE_BYTES) {
		const volatile uint64_t *words = (const volatile uint64_t *)(at + page);

		if (sigsetjmp(after_bus, 1)) {
			worst = worst == WRONG ? WRONG : BUS;
			continue;
		}
		for (size_t i = 0; i < PAGE_BYTES / sizeof(*words); i++)
			if (words[i] != (zeros ? 0 : content(SEED, page / sizeof(*words) + i)))
				worst = WRONG;
	}
	return worst;
}

static int looks(void)
{
	return look(mem, 0, LEN, false);
}

static int discards(void)
{
	int worst;

	for (size_t at = 0; at < LEN / 2; at += LEN / 8)
		sys_raw(SYS_madvise, (long)mem + (long)at, LEN / 8, MADV_DONTNEED, 0, 0, 0);
	worst = look(mem, 0, LEN / 2, true);
	return worst ? worst : look(mem, LEN / 2, LEN, false);
}

/* Again and again, more often than anybody keeps count of. */
static int discards_often(void)
{
	for (int i = 0; i < 500; i++)
		sys_raw(SYS_madvise, (long)mem + i % 2 * (long)PAGE_BYTES, PAGE_BYTES,
			MADV_DONTNEED, 0, 0, 0);
	return look(mem, 2 * PAGE_BYTES, LEN, false) == WRONG;
}

static int unmaps(void)
{
	sys_raw(SYS_munmap, (long)mem, LEN / 2, 0, 0, 0, 0);
	return look(mem, LEN / 2, LEN, false);
}

static int remaps(void)
{
	char *to = (char *)0x300000000000;

	if (sys_raw(SYS_mremap, (long)mem, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, (long)to, 0) !=
	    (long)to)
		return WRONG;
	return look(to, 0, LEN, false);
}

static int clones(void)
{
	long child = sys_raw(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
	int own, status = 0;

	if (!child)
		_exit(looks());
	own = looks();
	if (child < 0 || sys_raw(SYS_wait4, child, (long)&status, 0, 0, 0, 0) != child)
		return WRONG;
	return own ? own : WIFEXITED(status) ? WEXITSTATUS(status) : WRONG;
}

/* ---- one round ---- */

static const struct failing cases[] = {
	{"nothing fails", looks, INTACT, 0, 0, false, false, false},
	{"COPY: EAGAIN, but for every sixth", looks, INTACT, EAGAIN, 6, false, false, false},
	{"COPY: ENOMEM, but for every third", looks, INTACT, ENOMEM, 3, false, false, false},
	{"COPY: always ENOMEM", looks, BUS, ENOMEM, 0, false, false, false},
	{"COPY: always EAGAIN", looks, BUS, EAGAIN, 0, false, false, false},
	{"PAGEMAP_SCAN of what is out", looks, INTACT, 0, 0, true, false, false},
	{"PAGEMAP_SCAN and pagemap", looks, BUS, 0, 0, true, true, false},
	{"the child discards pages", discards, INTACT, 0, 0, false, false, true},
	{"the child discards pages all the time", discards_often, INTACT, 0, 0, false, false, true},
	{"the child unmaps pages", unmaps, INTACT, 0, 0, false, false, true},
	{"the child remaps its pages", remaps, INTACT, 0, 0, false, false, true},
	{"the child clones", clones, INTACT, 0, 0, false, false, true},
};

/* The child's exit status, if it was made while pages were out. */
static int clone_amid_move(const struct failing *f)
{
	struct move move = {.ferry = ferry, .addr = mem, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
	struct ferry_job *job;
	int status = -1;
	pid_t child;

	/* Its pages are shared with the last child: by being written they become its own again. */
	fill(mem, LEN, SEED);
	atomic_store(&nr_taken_out, 0);
	atomic_store(&nr_copies, 0);
	atomic_store(&failing, f);
	if (move_submit(&move, &job))
		return -1;
	while (!atomic_load(&nr_taken_out) && ferry_job_wait(job, 0))
		sched_yield();
	child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (!child) {
		alarm(30);
		_exit(f->in_child());
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		status = -1;
	ferry_job_close(job);
	atomic_store(&failing, NULL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Whether pages were out is seen by attempts to copy them, or by SIGBUS where nothing is copied. */
static bool holds(const struct failing *f)
{
	unsigned int nr_hits = 0;

	for (int round = 0; round < MAX_ROUNDS && nr_hits < 3; round++) {
		int ended = clone_amid_move(f);

		if (!is_intact(mem, LEN, SEED))
			return false;
		if (ended != INTACT && ended != f->ends) {
			tap_note("the child ended with %d, wanted %d", ended, f->ends);
			return false;
		}
		nr_hits += f->ends ? ended == f->ends : atomic_load(&nr_copies) > 0;
	}
	if (!nr_hits)
		tap_note("no child was made while pages were out");
	return nr_hits;
}

int main(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

#ifdef __SANITIZE_THREAD__
	printf("1..0 # SKIP TSan takes a bare clone(2) for a thread\n");
	return 0;
#endif
	options.nr_workers = 2;
	/* Pages are out for that long. */
	options.engine = "fault:every=1,what=delay,delay_us=50000";
	some_node();
	ferry = open_exchanging_context(&options);
	signal(SIGBUS, on_bus);
	__atomic_store_n(&sys_hook, hook, __ATOMIC_RELEASE);
	mem = memory_new(LEN, false);
	tap_plan(ARRAY_SIZE(cases));
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		watchdog(120, cases[i].name);
		tap_ok(holds(&cases[i]), "%s", cases[i].name);
	}
	ferry_close(ferry);
	return tap_done();
}
