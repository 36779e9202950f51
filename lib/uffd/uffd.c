// SPDX-License-Identifier: LGPL-2.1-or-later
/* The userfaultfd: opening one that the exchange mover can use, and its ioctls. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/kernel.h"
#include "base/sys.h"
#include "base/uapi.h"
#include "lib/uffd/uffd.h"
#include "lib/uffd/uffd_keeper.h"

/*
 * Tries the system call first, because it needs no device node. /dev/userfaultfd serves processes
 * that may open it but lack the privilege for the system call.
 */
static int uffd_new_fd(struct uffd_caps *caps)
{
	long fd = sys(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	long dev;

	if (fd >= 0)
		return (int)fd;
	caps->lack = fd == -ENOSYS ? UFFD_LACK_SYSCALL : UFFD_LACK_PRIVILEGE;
	caps->error = (int)-fd;
	dev = sys(SYS_openat, AT_FDCWD, "/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		return (int)fd;
	fd = sys(SYS_ioctl, dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	sys(SYS_close, dev);
	if (fd >= 0)
		caps->lack = UFFD_LACK_NONE;
	return (int)fd;
}

static int uffd_handshake(int fd, uint64_t features)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};

	return (int)sys(SYS_ioctl, fd, UFFDIO_API, &api);
}

static const uint64_t needed_features = UFFD_FEATURE_MOVE | UFFD_FEATURE_EVENT_REMAP |
					UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP;

/* A failed handshake leaves the descriptor unusable, so the second one needs a new descriptor. */
static int uffd_open_with_features(int *out_fd, struct uffd_caps *caps)
{
	int fd = uffd_new_fd(caps);
	int err;

	if (fd < 0)
		return fd;
	caps->events_fork = true;
	err = uffd_handshake(fd, needed_features | UFFD_FEATURE_EVENT_FORK);
	if (err) {
		sys(SYS_close, fd);
		fd = uffd_new_fd(caps);
		if (fd < 0)
			return fd;
		caps->events_fork = false;
		err = uffd_handshake(fd, needed_features);
	}
	if (err) {
		sys(SYS_close, fd);
		caps->lack = UFFD_LACK_FEATURE;
		caps->error = -err;
		return err;
	}
	*out_fd = fd;
	return 0;
}

/* Checks MOVE on private pages: two pages and a hole there, one page back. */
static int uffd_probe(int fd)
{
	const size_t len = 4 * PAGE_BYTES;
	long base = sys(SYS_mmap, NULL, 2 * len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t a = (uintptr_t)base, b = a + len;
	size_t moved;
	int err, unregister_err;

	if (sys_is_error(base))
		return (int)base;
	sys(SYS_madvise, base, 2 * len, MADV_NOHUGEPAGE);
	*(volatile char *)a = 1;
	*(volatile char *)(a + 2 * PAGE_BYTES) = 3;
	err = uffd_register(fd, a, 2 * len);
	if (!err)
		err = uffd_move(fd, b, a, len, true, &moved);
	if (!err && (moved != len || *(volatile char *)b != 1 ||
		     *(volatile char *)(b + 2 * PAGE_BYTES) != 3))
		err = -EIO;
	if (!err)
		err = uffd_move(fd, a, b, PAGE_BYTES, false, &moved);
	if (!err && *(volatile char *)a != 1)
		err = -EIO;
	/*
	 * If unregistering fails, leak the pages: munmap would wait for an event that no thread
	 * reads yet.
	 */
	unregister_err = uffd_unregister(fd, a, 2 * len);
	if (!unregister_err)
		sys(SYS_munmap, base, 2 * len);
	return err ? err : unregister_err;
}

int uffd_open(int *out_fd, struct uffd_caps *caps)
{
	int err;

	*caps = (struct uffd_caps){0};
	kernel_version(caps->kernel);
	caps->batched_flush = kernel_version_has(caps->kernel, KERNEL_BATCHED_MOVE);
	if (!kernel_version_has(caps->kernel, KERNEL_SAFE_MOVE)) {
		caps->lack = UFFD_LACK_KERNEL;
		caps->error = ENOSYS;
		return -ENOSYS;
	}
	err = uffd_open_with_features(out_fd, caps);
	if (err)
		return err;
	err = uffd_probe(*out_fd);
	if (err) {
		caps->lack = UFFD_LACK_PROBE;
		caps->error = -err;
		sys(SYS_close, *out_fd);
		*out_fd = -1;
	}
	return err;
}

/* The number may stand for a file of the program now, which takes none of these calls. */
static long uffd_ioctl(int fd, unsigned long request, void *arg)
{
	long ret = sys(SYS_ioctl, fd, request, arg);
	int again;

	if (ret != -EBADF && ret != -ENOTTY && ret != -EINVAL)
		return ret;
	again = uffd_keeper_regain(fd, (int)ret);
	return again < 0 ? ret : sys(SYS_ioctl, again, request, arg);
}

int uffd_register(int fd, uintptr_t start, size_t len_bytes)
{
	struct uffdio_register reg = {
		.range = {.start = start, .len = len_bytes},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return (int)uffd_ioctl(fd, UFFDIO_REGISTER, &reg);
}

int uffd_unregister(int fd, uintptr_t start, size_t len_bytes)
{
	struct uffdio_range range = {.start = start, .len = len_bytes};

	return (int)uffd_ioctl(fd, UFFDIO_UNREGISTER, &range);
}

int uffd_move(int fd, uintptr_t dst, uintptr_t src, size_t len_bytes, bool holes,
	      size_t *moved_bytes)
{
	struct uffdio_move move = {
		.dst = dst,
		.src = src,
		.len = len_bytes,
		.mode = holes ? UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES : 0,
	};
	long err = uffd_ioctl(fd, UFFDIO_MOVE, &move);

	*moved_bytes = move.move > 0 ? (size_t)move.move : 0;
	return (int)err;
}

int uffd_copy_page(int fd, uintptr_t dst, uintptr_t src)
{
	struct uffdio_copy copy = {.dst = dst, .src = src, .len = PAGE_BYTES};

	return (int)uffd_ioctl(fd, UFFDIO_COPY, &copy);
}

int uffd_poison_page(int fd, uintptr_t dst)
{
	struct uffdio_poison poison = {.range = {.start = dst, .len = PAGE_BYTES}};

	return (int)uffd_ioctl(fd, UFFDIO_POISON, &poison);
}

int uffd_zero_page(int fd, uintptr_t dst)
{
	struct uffdio_zeropage zero = {.range = {.start = dst, .len = PAGE_BYTES}};

	return (int)uffd_ioctl(fd, UFFDIO_ZEROPAGE, &zero);
}

/* The kernel looks for unread events before it looks at the range, which is an impossible one. */
bool uffd_has_unread_event(int fd)
{
	return uffd_zero_page(fd, 0) == -EAGAIN;
}

int uffd_wake(int fd, uintptr_t start, size_t len_bytes)
{
	struct uffdio_range range = {.start = start, .len = len_bytes};

	return (int)uffd_ioctl(fd, UFFDIO_WAKE, &range);
}
