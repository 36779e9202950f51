// SPDX-License-Identifier: LGPL-2.1-or-later
/* Makes its first call at an odd moment, which the argument names. */
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "victim.h"

static struct arena a;
static const char *root; /* the second argument: an empty directory */

static void move_often(void)
{
	for (int i = 0; i < 20; i++) {
		arena_aim(&a, i % 2 ? 0 : last_node());
		arena_print("moves", &a,
			    syscall(SYS_move_pages, 0, (long)NR_PAGES, a.pages, a.nodes, a.status,
				    MF_MOVE),
			    errno);
	}
}

static void *run_move(void *arg)
{
	move_often();
	return arg;
}

/* The smallest stack that threads may have. */
static void in_tiny_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN);
	if (pthread_create(&thread, &attr, run_move, NULL))
		die("pthread_create");
	pthread_join(thread, NULL);
}

static void in_root(void)
{
	if (chroot(root) || chdir("/"))
		die("chroot");
}

static void as_nobody(void)
{
	if (setgid(65534) || setuid(65534))
		die("setuid");
}

static void undumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}

/* A filter that refuses some calls that the library makes, and few programs do. */
static void filtered(void)
{
#define REFUSE(nr)                                       \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		REFUSE(SYS_userfaultfd),
		REFUSE(SYS_process_vm_readv),
		REFUSE(SYS_pidfd_open),
		REFUSE(SYS_kcmp),
		REFUSE(SYS_sched_setaffinity),
		REFUSE(SYS_setpriority),
		REFUSE(SYS_get_mempolicy),
		REFUSE(SYS_eventfd2),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		die("seccomp");
}

static void without_threads(void)
{
	struct rlimit none = {0, 0};

	as_nobody();
	setrlimit(RLIMIT_NPROC, &none);
}

static void without_descriptors(void)
{
	struct rlimit few = {3, 3};

	setrlimit(RLIMIT_NOFILE, &few);
}

static void without_standard_files(void)
{
	int copy = dup(1);

	close(0);
	close(1);
	close(2);
	arena_aim(&a, last_node());
	syscall(SYS_move_pages, 0, (long)NR_PAGES, a.pages, a.nodes, a.status, MF_MOVE);
	/* Nothing of the library is where the program expects its next file. */
	if (open("/dev/null", O_RDWR) || dup2(copy, 1) != 1 || dup2(copy, 2) != 2)
		_exit(3);
}

static void with_own_descriptors(void)
{
	unshare(CLONE_FILES);
	unshare(CLONE_FS);
}

static const struct {
	const char *name;
	void (*prepare)(void);
} moments[] = {
	{"tiny", in_tiny_thread},
	{"chroot", in_root},
	{"setuid", as_nobody},
	{"undumpable", undumpable},
	{"seccomp", filtered},
	{"nproc", without_threads},
	{"nofile", without_descriptors},
	{"stdio", without_standard_files},
	{"unshare", with_own_descriptors},
};

int main(int argc, char **argv)
{
	arena_make(&a, 0);
	root = argc > 2 ? argv[2] : "/";
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		if (argc < 2 || strcmp(argv[1], moments[i].name) != 0)
			continue;
		moments[i].prepare();
		move_often();
		return 0;
	}
	return 1;
}
