// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/own_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"
#include "base/sys.h"
#include "base/text.h"

/*
 * Increasing this keeps out of the way of programs with more descriptors, and makes each fork copy
 * a longer table.
 */
#define HIGH_FD     512
#define LESS_HIGH   128
#define INFO_BYTES  512
#define EVENTFD_KEY "eventfd-id:"

/* A limit on open files may allow no high number; then any will do. */
static long fd_raise(long fd, int preferred)
{
	const int at_least[] = {preferred, HIGH_FD, LESS_HIGH};

	for (unsigned int i = 0; i < ARRAY_SIZE(at_least); i++) {
		long raised = at_least[i] < LESS_HIGH
				      ? -1
				      : sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, at_least[i]);

		if (raised < 0)
			continue;
		sys(SYS_close, fd);
		return raised;
	}
	return fd;
}

#define ID_UNKNOWN UINT64_MAX

/* 0: no eventfd, a kernel before 5.2, or no /proc. ID_UNKNOWN: no descriptor is free to look. */
static uint64_t fd_eventfd_id(int fd)
{
	char path[64] = "/proc/thread-self/fdinfo/", info[INFO_BYTES];
	struct own_fd file;
	const char *at;
	long len;
	int err;

	text_add_number(path, sizeof(path), (uint64_t)fd);
	err = own_fd_open(&file, AT_FDCWD, path);
	if (err)
		return err == -EMFILE || err == -ENFILE ? ID_UNKNOWN : 0;
	len = sys(SYS_read, file.fd, info, sizeof(info) - 1);
	own_fd_drop(&file);
	info[len > 0 ? len : 0] = '\0';
	at = strstr(info, EVENTFD_KEY);
	return at ? 1 + text_number(at + sizeof(EVENTFD_KEY) - 1) : 0;
}

static void own_fd_identify(struct own_fd *own)
{
	struct stat st;

	if (sys(SYS_fstat, own->fd, &st))
		return;
	own->dev = st.st_dev;
	own->ino = st.st_ino;
}

int own_fd_open(struct own_fd *own, int dir_fd, const char *path)
{
	long fd = sys(SYS_openat, dir_fd, path, O_RDONLY | O_CLOEXEC);

	*own = OWN_FD_NONE;
	if (fd < 0)
		return (int)fd;
	own->fd = (int)fd;
	own_fd_identify(own);
	return 0;
}

int own_fd_take(struct own_fd *own, long fd)
{
	int preferred = own->fd;

	*own = OWN_FD_NONE;
	if (fd < 0)
		return (int)fd;
	own->fd = (int)fd_raise(fd, preferred);
	own_fd_identify(own);
	own->eventfd_id = fd_eventfd_id(own->fd);
	if (own->eventfd_id == ID_UNKNOWN)
		own->eventfd_id = 0;
	return 0;
}

bool own_fd_holds(const struct own_fd *own)
{
	struct stat st;
	uint64_t id;

	if (own->fd < 0 || sys(SYS_fstat, own->fd, &st) || st.st_dev != own->dev ||
	    st.st_ino != own->ino)
		return false;
	id = own->eventfd_id ? fd_eventfd_id(own->fd) : 0;
	/* A program that has closed it has a free descriptor, most likely. */
	return id == own->eventfd_id || id == ID_UNKNOWN;
}

void own_fd_drop(struct own_fd *own)
{
	if (own_fd_holds(own))
		sys(SYS_close, own->fd);
	own->fd = -1;
}

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#define FERRY_PIDFD_THREAD O_EXCL

long own_fd_fetch(int tid, int fd)
{
	long pidfd = sys(SYS_pidfd_open, tid, FERRY_PIDFD_THREAD);
	long copy;

	if (pidfd < 0)
		return pidfd;
	copy = sys(SYS_pidfd_getfd, pidfd, fd, 0);
	sys(SYS_close, pidfd);
	return copy;
}
