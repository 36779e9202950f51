/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors of the library in the program's table. They have high numbers, which loops over the
 * low ones and select(2) do not reach. A program may close them all the same, and then have a file
 * of its own under such a number. So the library remembers which file it was, and asks before it
 * writes or closes.
 *
 * Not thread-safe, except own_fd_holds().
 */
#ifndef FERRY_OWN_FD_H
#define FERRY_OWN_FD_H

#include <stdbool.h>
#include <stdint.h>

struct own_fd {
	int fd; /* -1: none */
	uint64_t dev, ino;
	uint64_t eventfd_id; /* eventfds share one inode; 0: none, or not known */
};

#define OWN_FD_NONE ((struct own_fd){.fd = -1})

/*
 * Takes over a descriptor that a system call has just returned, and gives it a high number: that of
 * the last descriptor that *own had, if it is free. fd may be an error, which this returns;
 * otherwise 0.
 */
int own_fd_take(struct own_fd *own, long fd);

/*
 * Opens a file for a quick look; own_fd_drop() closes it. It keeps the low number that it gets. The
 * path is relative to dir_fd, or to AT_FDCWD. 0 or -errno.
 */
int own_fd_open(struct own_fd *own, int dir_fd, const char *path);

/* True if the number still stands for the same file. */
bool own_fd_holds(const struct own_fd *own);

/* Closes the descriptor if it is still the library's. */
void own_fd_drop(struct own_fd *own);

/*
 * Copies a descriptor from the table of another thread of the process. -errno: the kernel is older
 * than 6.9, or a seccomp filter forbids it.
 */
long own_fd_fetch(int tid, int fd);

#endif
