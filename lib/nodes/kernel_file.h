/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of /proc and /sys, without stdio: read at once, or opened once per process. */
#ifndef FERRY_KERNEL_FILE_H
#define FERRY_KERNEL_FILE_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/futex.h"
#include "base/own_fd.h"

/* Reads a small file into text and ends it with a zero byte. Its length or -errno. */
long kernel_file_read(const char *path, char *text, size_t text_bytes);

/* Opens /proc/PID/NAME, to be closed by own_fd_drop(). 0 or -errno. */
int kernel_file_open_of(int pid, const char *name, struct own_fd *out);

/* A file that the process keeps open. Zero-initialized it is not open: use KERNEL_FILE_NONE. */
struct kernel_file {
	atomic_int fd; /* -1: not open */
	struct futex_lock lock;
	struct own_fd own;
};

#define KERNEL_FILE_NONE ((struct kernel_file){.fd = -1, .own = OWN_FD_NONE})

/*
 * Opens the file for reading, unless it is open already. If the program has closed the descriptor,
 * opens it again. The caller has blocked signals. 0 or -errno.
 */
int kernel_file_keep_open(struct kernel_file *file, const char *path);
/* Closes the file. In a forked child too, whatever another thread was doing. */
void kernel_file_close(struct kernel_file *file);

#endif
