/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps memory of the library away from the program's. The kernel puts a new mapping into the first
 * gap that fits, which the program may just have left by munmap(2). If the program names that
 * address in a call, it must get EFAULT, not an answer about the library's memory.
 */
#ifndef FERRY_APART_H
#define FERRY_APART_H

#include <stddef.h>

/* mmap(2) at an address that the library chooses. The address, or -errno. */
long apart_mmap(size_t len_bytes, int prot, int flags, int fd, long offset);

#endif
