// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reads small files of /proc and /sys, and opens those that the process keeps. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/sys.h"
#include "lib/nodes/kernel_file.h"

/*
 * The program may close all descriptors at any time, and have a file of its own under the number by
 * now.
 */
static void file_close_if_same(long fd, const struct stat *opened)
{
	struct stat now;

	if (!sys(SYS_fstat, fd, &now) && now.st_dev == opened->st_dev &&
	    now.st_ino == opened->st_ino)
		sys(SYS_close, fd);
}

long kernel_file_read(const char *path, char *text, size_t text_bytes)
{
	long fd = sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	struct stat opened;
	long len;

	if (fd < 0)
		return fd;
	len = sys(SYS_fstat, fd, &opened);
	if (!len) {
		len = sys(SYS_read, fd, text, text_bytes - 1);
		file_close_if_same(fd, &opened);
	}
	text[len > 0 ? len : 0] = '\0';
	return len;
}

int kernel_file_keep_open(struct kernel_file *file, const char *path)
{
	int err = 0;

	futex_lock(&file->lock);
	if (!own_fd_holds(&file->own)) {
		err = own_fd_take(&file->own,
				  sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
		atomic_store(&file->fd, file->own.fd);
	}
	futex_unlock(&file->lock);
	return err;
}

void kernel_file_close(struct kernel_file *file)
{
	own_fd_drop(&file->own);
	*file = KERNEL_FILE_NONE;
}
