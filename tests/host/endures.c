// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a program may do to itself, or have done to it, while its pages move. Each case runs in a
 * child: the memory moves all the time, and a thread reads it. Afterwards every byte is right, a
 * last job ends, and the context closes.
 */
#include <dlfcn.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN      (8UL << 20)
#define SEED     31
#define NR_TIMES 10
#define CANNOT   77 /* the machine lacks something */

#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

static struct ferry *ferry;
static char *mem;
static atomic_bool stop, failed, limited;
static atomic_ulong nr_rounds;
static int key; /* of pkeys(7) */

/* Under limits a request may be refused. */
static bool may_refuse(int err)
{
	return atomic_load(&limited) && (err == -ENOMEM || err == -EMFILE);
}

static void *move_often(void *arg __maybe_unused)
{
	struct move move = {.ferry = ferry, .addr = mem, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};

	while (!atomic_load(&stop)) {
		int err = move_run(&move);

		if (err ? !may_refuse(err) : !adds_up(&move.result))
			atomic_store(&failed, true);
		atomic_fetch_add(&nr_rounds, 1);
	}
	return NULL;
}

static void *read_often(void *arg __maybe_unused)
{
	while (!atomic_load(&stop))
		if (first_wrong(mem, LEN, SEED) >= 0)
			atomic_store(&failed, true);
	return NULL;
}

/* Lets the memory move twice more. */
static void let_move(void)
{
	unsigned long seen = atomic_load(&nr_rounds);

	while (atomic_load(&nr_rounds) < seen + 2 && !atomic_load(&failed))
		usleep(1000);
}

/* ---- by itself: 0, 1 or CANNOT ---- */

static int limit_resources(void)
{
	static const int limits[] = {RLIMIT_NOFILE, RLIMIT_NPROC,   RLIMIT_AS,        RLIMIT_DATA,
				     RLIMIT_STACK,  RLIMIT_MEMLOCK, RLIMIT_SIGPENDING};

	atomic_store(&limited, true);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit none = {0, 0};

		if (setrlimit((unsigned int)limits[i], &none))
			return 1;
		let_move();
	}
	return 0;
}

static int lock_all(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return CANNOT;
	let_move();
	munlockall();
	return 0;
}

static int become_nobody(void)
{
	if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
		return CANNOT;
	return 0;
}

static int be_undumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 0) != 0;
}

static int change_root(void)
{
	return chroot("/proc/self/fdinfo") || chdir("/") ? CANNOT : 0;
}

static int unshare_all(void)
{
	return unshare(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM) ? CANNOT : 0;
}

static int seal(void)
{
	return syscall(SYS_mseal, mem, LEN, 0UL) ? CANNOT : 0;
}

/* Threads of the library began before the key was allocated, and have no access by it. */
static int use_keys(void)
{
	if (key < 0)
		return CANNOT;
	for (int i = 0; i < NR_TIMES; i++) {
		if (pkey_mprotect(mem + LEN / 4, LEN / 2, PROT_READ | PROT_WRITE, i % 2 ? key : 0))
			return 1;
		let_move();
	}
	return 0;
}

/* Guard pages appear in memory of their own that moves. */
static int install_guards(void)
{
	struct move move = {.ferry = ferry, .len = HUGE_BYTES, .mover = FERRY_MOVER_EXCHANGE};
	char *guarded = memory_new(HUGE_BYTES, false), byte;
	struct iovec here = {&byte, 1}, there = {guarded + 8 * PAGE_BYTES, 1};

	fill(guarded, HUGE_BYTES, 5);
	if (madvise(there.iov_base, PAGE_BYTES, MADV_GUARD_INSTALL))
		return CANNOT;
	move.addr = guarded;
	for (int i = 0; i < NR_TIMES; i++)
		if (move_run(&move) || process_vm_readv(getpid(), &here, 1, &there, 1, 0) != -1 ||
		    first_wrong(guarded, 8 * PAGE_BYTES, 5) >= 0)
			return 1;
	return 0;
}

static void *call_and_be_cancelled(void *arg __maybe_unused)
{
	int old, node = some_node();
	static void *pages[LEN / PAGE_BYTES];
	static int nodes[LEN / PAGE_BYTES], status[LEN / PAGE_BYTES];

	for (size_t i = 0; i < LEN / PAGE_BYTES; i++) {
		pages[i] = mem + i * PAGE_BYTES;
		nodes[i] = node;
	}
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	for (;;)
		ferry_move_pages(ferry, 0, LEN / PAGE_BYTES, pages, nodes, status, 1 << 1);
	return NULL;
}

static int cancel_threads(void)
{
	for (int i = 0; i < NR_TIMES; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, call_and_be_cancelled, NULL))
			return 1;
		usleep(1000 * (unsigned int)i);
		pthread_cancel(thread);
		pthread_join(thread, NULL);
	}
	return 0;
}

/* ---- by others ---- */

static pid_t fork_other(void)
{
	pid_t child = fork();

	if (!child)
		alarm(60);
	return child;
}

static int ended_well(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) != child)
		if (errno != EINTR)
			return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int be_stopped(void)
{
	pid_t me = getpid(), other = fork_other();

	for (int i = 0; !other && i < NR_TIMES; i++) {
		kill(me, SIGSTOP);
		usleep(5000);
		kill(me, SIGCONT);
		usleep(5000);
	}
	if (!other)
		_exit(0);
	return ended_well(other);
}

static int be_traced(void)
{
	pid_t me = getpid(), other = fork_other();

	for (int i = 0; !other && i < NR_TIMES; i++) {
		int status;

		if (ptrace(PTRACE_ATTACH, me, 0, 0))
			_exit(CANNOT);
		waitpid(me, &status, __WALL);
		usleep(5000);
		ptrace(PTRACE_DETACH, me, 0, 0);
		usleep(5000);
	}
	if (!other)
		_exit(0);
	return ended_well(other);
}

static int die_in_flight(void)
{
	for (int i = 0; i < NR_TIMES; i++) {
		pid_t other = fork();

		if (!other) {
			struct move move = {.addr = mem, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
			struct ferry_job *job;

			if (ferry_open(&move.ferry, NULL) || move_submit(&move, &job))
				_exit(1);
			usleep(200 * (unsigned int)i);
			exit(0);
		}
		if (ended_well(other))
			return 1;
	}
	return 0;
}

/* ---- cases ---- */

static const struct {
	const char *what;
	int (*happens)(void);
} cases[] = {
	{"all limits are set to 0", limit_resources},
	{"all memory is locked", lock_all},
	{"the user changes", become_nobody},
	{"the process becomes undumpable", be_undumpable},
	{"the root directory changes", change_root},
	{"the calling thread leaves the shared table", unshare_all},
	{"the memory is sealed", seal},
	{"protection keys change", use_keys},
	{"guard pages", install_guards},
	{"threads are cancelled in the library", cancel_threads},
	{"the process is stopped and continued", be_stopped},
	{"a debugger attaches and detaches", be_traced},
	{"children exit with pages in flight", die_in_flight},
};

static int run_case(unsigned int i)
{
	pthread_t mover, reader;
	int ret;

	watchdog(120, cases[i].what);
	mem = memory_new(LEN, false);
	fill(mem, LEN, SEED);
	ferry = open_context(NULL);
	key = pkey_alloc(0, 0);
	pthread_create(&mover, NULL, move_often, NULL);
	pthread_create(&reader, NULL, read_often, NULL);
	let_move();
	ret = cases[i].happens();
	let_move();
	atomic_store(&stop, true);
	pthread_join(mover, NULL);
	pthread_join(reader, NULL);
	ferry_close(ferry);
	if (atomic_load(&failed) || !is_intact(mem, LEN, SEED))
		ret = 1;
	return ret;
}

/* The library unloaded: its threads and handlers must not outlive it. */
static int library_unloads(void)
{
	const char *build = getenv("BUILD");
	char path[256];
	void *library;
	int (*open)(struct ferry **, const struct ferry_options *);
	void (*close)(struct ferry *);
	struct ferry *theirs;
	pid_t child;

	snprintf(path, sizeof(path), "%s/libpageferry.so", build ? build : "build");
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		tap_note("%s", dlerror());
		return CANNOT;
	}
	open = (__typeof__(open))dlsym(library, "ferry_open");
	close = (__typeof__(close))dlsym(library, "ferry_close");
	if (open(&theirs, NULL))
		return 1;
	dlclose(library);
	usleep(100000);
	child = fork();
	if (!child)
		_exit(0);
	close(theirs);
	return ended_well(child);
}

static void report(int ended, const char *what)
{
	if (ended == CANNOT)
		tap_skip("not on this machine, or not as this user", "%s", what);
	else
		tap_ok(!ended, "%s", what);
}

int main(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	printf("1..0 # SKIP sanitizers do not endure it\n");
	return 0;
#endif
	ferry_close(open_exchanging_context(NULL));
	tap_plan(ARRAY_SIZE(cases) + 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		pid_t child = fork();

		if (!child)
			_exit(run_case(i));
		report(ended_well(child), cases[i].what);
	}
	watchdog(120, "dlclose");
	report(library_unloads(), "dlclose while a context is open");
	return tap_done();
}
