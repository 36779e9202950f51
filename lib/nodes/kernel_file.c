// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reads small files of /proc and /sys, and opens those that the process keeps. */
#include <fcntl.h>

#include "base/sys.h"
#include "lib/nodes/kernel_file.h"

long kernel_file_read(const char *path, char *text, size_t text_bytes)
{
	long fd = sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	long len;

	if (fd < 0)
		return fd;
	len = sys(SYS_read, fd, text, text_bytes - 1);
	sys(SYS_close, fd);
	text[len > 0 ? len : 0] = '\0';
	return len;
}

int kernel_file_open_once(atomic_int *fd, const char *path)
{
	int none = -1;
	long opened;

	if (atomic_load(fd) >= 0)
		return 0;
	opened = sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (opened < 0)
		return (int)opened;
	if (!atomic_compare_exchange_strong(fd, &none, (int)opened))
		sys(SYS_close, opened);
	return 0;
}

void kernel_file_close(atomic_int *fd)
{
	int opened = atomic_exchange(fd, -1);

	if (opened >= 0)
		sys(SYS_close, opened);
}
