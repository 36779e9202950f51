/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of /proc and /sys, without stdio: read at once, or opened once per process. */
#ifndef FERRY_KERNEL_FILE_H
#define FERRY_KERNEL_FILE_H

#include <stdatomic.h>

#include "base/base.h"

/* Reads a small file into text and ends it with a zero byte. Its length or -errno. */
long kernel_file_read(const char *path, char *text, size_t text_bytes);

/*
 * Opens a file for reading unless *fd is open already; of several threads that try at once one
 * wins. *fd is -1 while the file is not open. 0 or -errno.
 */
int kernel_file_open_once(atomic_int *fd, const char *path);
/* Closes *fd if it is open, and sets it to -1. */
void kernel_file_close(atomic_int *fd);

#endif
