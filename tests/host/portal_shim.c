// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/dsa-portal-shim without a device: the node is a FIFO, which cannot be mapped either, and
 * what the shim writes to it is read here. The test runs itself again with the shim preloaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/testlib/tap.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#if defined(__x86_64__) && !defined(SANITIZED)

#define PAGE 4096UL
#define ROOT "DSA_SHIM_TEST_ROOT"

static uint64_t desc[8] __attribute__((aligned(64)));
static int shared_node, dedicated_node;
static char *shared, *dedicated;
static sigjmp_buf resume;
static volatile sig_atomic_t nr_early, nr_late, last_signal;

static void bail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- instructions ------------------------------------------------------------------------- */

/* Returns whether the queue accepted the descriptor. */
static bool enqcmd(void *portal, const void *from)
{
	bool retry;

	__asm__ volatile("enqcmd (%2), %1" : "=@ccz"(retry) : "r"(portal), "r"(from) : "memory");
	return !retry;
}

static void movdir64b(void *portal, const void *from)
{
	__asm__ volatile("movdir64b (%1), %0" : : "r"(portal), "r"(from) : "memory");
}

/* With operands that need SIB, displacement and extended registers. */
static bool enqcmd_complex(void *portal, const void *from)
{
	register void *to __asm__("r13") = portal;
	register uint64_t base __asm__("r12") = (uintptr_t)from - 0x1000;
	register uint64_t index __asm__("r9") = 0x200;
	bool retry;

	__asm__ volatile("enqcmd (%2,%3,8), %1"
			 : "=@ccz"(retry)
			 : "r"(to), "r"(base), "r"(index)
			 : "memory");
	return !retry;
}

static bool enqcmd_rip(void *portal)
{
	bool retry;

	__asm__ volatile("enqcmd %2, %1" : "=@ccz"(retry) : "r"(portal), "m"(desc) : "memory");
	return !retry;
}

/* The flags after an ENQCMD before which all of them were set. */
static uint64_t flags_after_enqcmd(void *portal)
{
	uint64_t flags;

	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\torq $0x8d5, (%%rsp)\n\tpopfq\n\t"
			 "enqcmd (%2), %1\n\t"
			 "pushfq\n\tpopq %0\n\t"
			 "lea 128(%%rsp), %%rsp"
			 : "=r"(flags)
			 : "r"(portal), "r"(desc)
			 : "memory", "cc");
	return flags & 0x8d5;
}

/* ---- the node ----------------------------------------------------------------------------- */

static void make_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail(path);
	close(fd);
}

static void make_queue(const char *root, const char *name, const char *mode)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (mkfifo(path, 0600))
		bail(path);
	snprintf(path, sizeof(path), "%s/sys/%s", root, name);
	if (mkdir(path, 0700))
		bail(path);
	snprintf(path, sizeof(path), "%s/sys/%s/mode", root, name);
	make_file(path, mode);
}

static int open_in(const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", getenv(ROOT), name);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		bail(path);
	return fd;
}

static void *map_portal(int node)
{
	return mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED | MAP_POPULATE, node, 0);
}

/* The descriptor that arrived at the node, by its second word; 0 if there is none. */
static uint64_t arrived(int node)
{
	uint64_t got[8];

	if (read(node, got, sizeof(got)) != sizeof(got))
		return 0;
	desc[1] = got[1];
	return memcmp(got, desc, sizeof(got)) ? UINT64_MAX : got[1];
}

static const void *desc_numbered(uint64_t number)
{
	desc[0] = 0x030000cUL << 32;
	desc[1] = number;
	desc[7] = 7;
	return desc;
}

static void run_again_with_shim(char **argv)
{
	char root[] = "/tmp/portal_shim.XXXXXX", path[PATH_MAX], shim[PATH_MAX], *end;
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (len < 0 || !mkdtemp(root))
		bail("start");
	path[len] = '\0';
	/* build/tests/host/portal_shim.t: the shim is in build/. */
	for (int i = 0; i < 3; i++) {
		end = strrchr(path, '/');
		if (end)
			*end = '\0';
	}
	snprintf(shim, sizeof(shim), "%.4000s/dsa-portal-shim.so", path);
	snprintf(path, sizeof(path), "%s/sys", root);
	if (mkdir(path, 0700))
		bail(path);
	setenv("DSA_SHIM_SYSFS", path, 1);
	make_queue(root, "wq0.0", "shared\n");
	make_queue(root, "wq1.0", "dedicated\n");
	make_queue(root, "other", "shared\n");
	snprintf(path, sizeof(path), "%s/wq", root);
	setenv("DSA_SHIM_NODES", path, 1);
	setenv(ROOT, root, 1);
	setenv("LD_PRELOAD", shim, 1);
	execv("/proc/self/exe", argv);
	bail("exec");
}

static void remove_root(void)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf '%s'", getenv(ROOT));
	unsetenv("LD_PRELOAD");
	if (system(command))
		printf("# %s failed\n", command);
}

/* ---- signals ------------------------------------------------------------------------------ */

static void on_early(int sig)
{
	nr_early++;
	last_signal = sig;
	siglongjmp(resume, 1);
}

static void on_late(int sig, siginfo_t *info, void *context)
{
	nr_late += info && context;
	last_signal = sig;
	siglongjmp(resume, 1);
}

static bool caught(void (*act)(void))
{
	if (sigsetjmp(resume, 1))
		return true;
	act();
	return false;
}

static void touch_null(void)
{
	*(volatile int *)strtoul("8", NULL, 0) = 1;
}

static void run_ud2(void)
{
	__asm__ volatile("ud2");
}

static void submit_to_memory(void)
{
	static char page[PAGE] __attribute__((aligned(64)));

	enqcmd(page, desc_numbered(1));
}

static void submit_shared(void)
{
	enqcmd(shared, desc_numbered(1));
}

static void submit_misaligned(void)
{
	enqcmd(shared + 32, desc_numbered(1));
}

static void submit_from_nowhere(void)
{
	enqcmd(shared, (void *)0x1000);
}

static void submit_with_pasid(void)
{
	desc_numbered(1);
	desc[0] |= 5;
	enqcmd(shared, desc);
}

/* The signal that ends a child which does this; 0 if it survives. */
static int killed_by(void (*act)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGILL, SIG_DFL);
		act();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* ---- tests -------------------------------------------------------------------------------- */

static void test_mmap(void)
{
	int other = open_in("other"), closed = open_in("wq0.0");
	char *portal;

	tap_ok(map_portal(other) == MAP_FAILED && errno == ENODEV, "no portal of another file");
	close(other);
	tap_ok(mmap(NULL, 2 * PAGE, PROT_WRITE, MAP_SHARED, shared_node, 0) == MAP_FAILED &&
		       errno == EINVAL,
	       "nor of two pages");
	tap_ok(mmap(NULL, PAGE, PROT_WRITE, MAP_PRIVATE, shared_node, 0) == MAP_FAILED &&
		       errno == EINVAL,
	       "nor a private one");
	shared = map_portal(shared_node);
	dedicated = map_portal(dedicated_node);
	tap_ok(shared != MAP_FAILED && dedicated != MAP_FAILED, "portals of two queues");
	portal = map_portal(closed);
	close(closed);
	tap_ok(enqcmd(portal, desc_numbered(2)) && arrived(shared_node) == 2,
	       "a portal outlives the descriptor");
	munmap(portal, PAGE);
}

static void test_submission(void)
{
	tap_ok(enqcmd(shared, desc_numbered(10)) && arrived(shared_node) == 10, "ENQCMD");
	tap_ok(enqcmd(shared + 0xfc0, desc_numbered(11)) && arrived(shared_node) == 11,
	       "the last slot of the portal");
	tap_ok(enqcmd_complex(shared, desc_numbered(12)) && arrived(shared_node) == 12,
	       "operands with index and extended registers");
	desc_numbered(13);
	tap_ok(enqcmd_rip(shared) && arrived(shared_node) == 13, "a descriptor in .bss");
	desc_numbered(14);
	tap_ok(flags_after_enqcmd(shared) == 0 && arrived(shared_node) == 14,
	       "accepted: all flags clear");
	movdir64b(dedicated, desc_numbered(15));
	tap_ok(arrived(dedicated_node) == 15, "MOVDIR64B");
	desc[0] |= 5;
	desc[1] = 16;
	movdir64b(dedicated + 64, desc);
	tap_ok(arrived(dedicated_node) == 16, "which may carry a PASID");
}

static void test_wrong_queue(void)
{
	movdir64b(shared, desc_numbered(20));
	tap_ok(arrived(shared_node) == 0, "MOVDIR64B to a shared queue is dropped");
	tap_ok(!enqcmd(dedicated, desc_numbered(21)) && arrived(dedicated_node) == 0,
	       "ENQCMD to a dedicated queue: retry");
}

static void test_full(void)
{
	int nr_taken = 0;

	fcntl(shared_node, F_SETPIPE_SZ, (int)PAGE);
	while (nr_taken < 1000 && enqcmd(shared, desc_numbered(30)))
		nr_taken++;
	tap_ok(nr_taken == (int)(PAGE / 64), "%d descriptors fit into the pipe", nr_taken);
	desc_numbered(30);
	tap_ok(flags_after_enqcmd(shared) == 0x40, "then: retry, and no other flag");
	while (arrived(shared_node))
		;
	tap_ok(enqcmd(shared, desc_numbered(31)) && arrived(shared_node) == 31,
	       "until there is room");
}

static void test_waits(void)
{
	uint64_t now = __builtin_ia32_rdtsc();

	__asm__ volatile("umonitor %0" : : "r"(desc) : "memory");
	__asm__ volatile("umwait %0"
			 :
			 : "r"(1), "a"((uint32_t)now), "d"((uint32_t)(now >> 32))
			 : "cc", "memory");
	__asm__ volatile("tpause %0"
			 :
			 : "r"(1), "a"((uint32_t)now), "d"((uint32_t)(now >> 32))
			 : "cc", "memory");
	tap_ok(true, "UMONITOR, UMWAIT and TPAUSE return");
}

static void test_handlers(void)
{
	struct sigaction act = {.sa_sigaction = on_late, .sa_flags = SA_SIGINFO}, old;

	tap_ok(caught(touch_null) && nr_early == 1 && last_signal == SIGSEGV,
	       "a handler from before the portal still gets SIGSEGV");
	tap_ok(caught(run_ud2) && nr_early == 2 && last_signal == SIGILL, "and SIGILL");
	sigaction(SIGSEGV, &act, &old);
	tap_ok(old.sa_handler == on_early, "sigaction() reports that handler");
	sigaction(SIGILL, &act, NULL);
	tap_ok(caught(touch_null) && nr_late == 1 && last_signal == SIGSEGV,
	       "a handler from after it gets SIGSEGV and its context");
	tap_ok(caught(run_ud2) && nr_late == 2 && last_signal == SIGILL, "and SIGILL");
	tap_ok(caught(submit_to_memory) && nr_late == 3, "ENQCMD to other memory");
	tap_ok(caught(submit_misaligned) && nr_late == 4, "a misaligned portal address");
	tap_ok(caught(submit_from_nowhere) && nr_late == 5, "a descriptor that is not mapped");
	tap_ok(caught(submit_with_pasid) && nr_late == 6, "ENQCMD with a PASID");
	tap_ok(arrived(shared_node) == 0, "none of which was submitted");
	act.sa_flags |= (int)SA_RESETHAND;
	sigaction(SIGSEGV, &act, NULL);
	tap_ok(caught(touch_null) && signal(SIGSEGV, on_early) == SIG_DFL,
	       "a handler for one time");
	tap_ok(enqcmd(shared, desc_numbered(40)) && arrived(shared_node) == 40,
	       "submission goes on");
}

static void test_death(void)
{
	tap_ok(killed_by(touch_null) == SIGSEGV, "without a handler: death by SIGSEGV");
	tap_ok(killed_by(run_ud2) == SIGILL, "and by SIGILL");
	tap_ok(killed_by(submit_shared) != 0 && arrived(shared_node) == 0,
	       "a child of fork has no portal");
}

static void *submit_from_thread(void *arg)
{
	sigset_t all;

	(void)arg;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	return enqcmd(shared, desc_numbered(50)) ? shared : NULL;
}

static void test_processes(void)
{
	pthread_t thread;
	void *taken = NULL;
	int status = -1;
	pid_t pid;

	pthread_create(&thread, NULL, submit_from_thread, NULL);
	pthread_join(thread, &taken);
	tap_ok(taken && arrived(shared_node) == 50, "a thread that blocks all signals");
	desc_numbered(51);
	pid = vfork();
	if (!pid)
		_exit(enqcmd(shared, desc) ? 0 : 1);
	waitpid(pid, &status, 0);
	tap_ok(status == 0 && arrived(shared_node) == 51, "a child of vfork has the portal");
}

static void test_munmap(void)
{
	int reader, node = open_in("wq0.0");
	char path[PATH_MAX], *portal = map_portal(node);
	char byte;

	snprintf(path, sizeof(path), "%s/wq0.0", getenv(ROOT));
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	close(node);
	close(shared_node);
	munmap(shared, PAGE);
	tap_ok(read(reader, &byte, 1) < 0 && errno == EAGAIN, "a portal keeps the node open");
	munmap(portal, PAGE);
	tap_ok(read(reader, &byte, 1) == 0, "until it is unmapped");
	tap_ok(killed_by(submit_shared) != 0, "a portal that is gone");
}

int main(int argc, char **argv)
{
	(void)argc;
	if (!getenv(ROOT))
		run_again_with_shim(argv);
	alarm(300);
	tap_plan(38);
	shared_node = open_in("wq0.0");
	dedicated_node = open_in("wq1.0");
	signal(SIGSEGV, on_early);
	signal(SIGILL, on_early);
	test_mmap();
	test_submission();
	test_wrong_queue();
	test_full();
	test_waits();
	test_handlers();
	test_death();
	test_processes();
	test_munmap();
	remove_root();
	return tap_done();
}

#else

int main(void)
{
	tap_plan(1);
	tap_skip("x86-64 only, and not under a sanitizer", "the portal shim");
	return tap_done();
}

#endif
