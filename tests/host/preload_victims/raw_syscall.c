// SPDX-License-Identifier: LGPL-2.1-or-later
/* syscall() with many numbers, argument counts and failures. */
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "victim.h"

static void show(const char *what, long ret)
{
	printf("%s: %ld %d\n", what, ret, errno);
	errno = 0;
}

static void files(void)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY, 0);
	char magic[4] = "", other[4] = "";
	void *map;

	show("openat", fd >= 0);
	show("openat missing", syscall(SYS_openat, AT_FDCWD, "/nonexistent/x", O_RDONLY, 0));
	show("pread64", syscall(SYS_pread64, fd, magic, 4L, 0L));
	/* mmap: the sixth argument is the offset. */
	map = (void *)syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 4096L);
	pread(fd, other, 4, 4096);
	show("mmap offset", memcmp(map, other, 4));
	show("munmap", syscall(SYS_munmap, map, PAGE));
	show("mmap bad", syscall(SYS_mmap, NULL, 0L, PROT_READ, MAP_PRIVATE, -1, 0L));
	show("mmap unaligned", syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 17L));
	show("lseek", syscall(SYS_lseek, fd, 0x12345678L, SEEK_SET));
	show("copy_file_range", syscall(SYS_copy_file_range, fd, NULL, -1, NULL, 1L, 0));
	show("close", syscall(SYS_close, fd));
	show("close again", syscall(SYS_close, fd));
	show("write bad fd", syscall(SYS_write, -1, "x", 1L));
	show("read bad pointer", syscall(SYS_getcwd, NULL, 4096L));
}

static void waits(void)
{
	struct timespec soon = {.tv_nsec = 1000};
	struct {
		const sigset_t *mask;
		size_t len;
	} none = {NULL, 8};
	unsigned int words[2] = {0, 0};

	show("pselect6", syscall(SYS_pselect6, 0, NULL, NULL, NULL, &soon, &none));
	show("ppoll", syscall(SYS_ppoll, NULL, 0, &soon, NULL, 8L));
	show("futex wait", syscall(SYS_futex, words, FUTEX_WAIT, 1, NULL, NULL, 0));
	show("futex timeout", syscall(SYS_futex, words, FUTEX_WAIT, 0, &soon, NULL, 0));
	/* The kernel compares the sixth argument with the word. */
	show("futex requeue equal",
	     syscall(SYS_futex, words, FUTEX_CMP_REQUEUE, 1, 1L, words + 1, 0));
	show("futex requeue differs",
	     syscall(SYS_futex, words, FUTEX_CMP_REQUEUE, 1, 1L, words + 1, 12345));
	show("nanosleep", syscall(SYS_nanosleep, &soon, NULL));
}

static void processes(void)
{
	int status = -1;
	long pid = syscall(SYS_getpid);

	show("getpid", pid == getpid());
	show("gettid", syscall(SYS_gettid) == gettid());
	show("kill 0", syscall(SYS_kill, pid, 0));
	show("kill none", syscall(SYS_kill, 0x7ffffffe, 0));
	pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid)
		_exit(syscall(SYS_close, -1) == -1 && errno == EBADF ? 42 : 1);
	show("wait", syscall(SYS_wait4, pid, &status, 0, NULL) == pid);
	show("status", WEXITSTATUS(status));
	show("wait none", syscall(SYS_wait4, -1, &status, 0, NULL));
	show("sched_yield", syscall(SYS_sched_yield));
	show("no such number", syscall(9999L));
	show("negative number", syscall(-1L));
}

/* Numbers that the drop-in examines but must pass to the kernel. */
static void watched(void)
{
	struct io_uring_params params = {.flags = 0};
	int one = 1, fd = socket(AF_UNIX, SOCK_STREAM, 0);
	long ring;

	show("setsockopt",
	     syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_PASSCRED, &one, (long)sizeof(one)));
	show("setsockopt bad fd",
	     syscall(SYS_setsockopt, -1, SOL_SOCKET, SO_ZEROCOPY, &one, (long)sizeof(one)));
	show("libc setsockopt", setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	show("libc setsockopt bad", setsockopt(fd, 12345, 1, &one, sizeof(one)));
	show("vmsplice", syscall(SYS_vmsplice, -1, NULL, 0L, 0));
	show("libc vmsplice", vmsplice(-1, NULL, 0, 0));
	show("io_uring_setup bad", syscall(SYS_io_uring_setup, 0L, &params));
	ring = syscall(SYS_io_uring_setup, 4L, &params);
	show("io_uring_setup", ring >= 0);
	close((int)ring);
	close(fd);
}

int main(void)
{
	errno = 0;
	files();
	waits();
	processes();
	watched();
	return 0;
}
