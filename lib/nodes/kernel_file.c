// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reads small files of /proc and /sys, and opens those that the process keeps. */
#include <fcntl.h>

#include "base/sys.h"
#include "base/text.h"
#include "lib/nodes/kernel_file.h"

long kernel_file_read(const char *path, char *text, size_t text_bytes)
{
	struct own_fd file;
	long len = own_fd_open(&file, AT_FDCWD, path);

	if (len)
		return len;
	len = sys(SYS_read, file.fd, text, text_bytes - 1);
	own_fd_drop(&file);
	text[len > 0 ? len : 0] = '\0';
	return len;
}

int kernel_file_open_of(int pid, const char *name, struct own_fd *out)
{
	char path[64] = "/proc/";

	text_add_number(path, sizeof(path), (uint64_t)pid);
	text_add(path, sizeof(path), "/");
	text_add(path, sizeof(path), name);
	return own_fd_open(out, AT_FDCWD, path);
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
