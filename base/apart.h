/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps memory of the library away from the program's. The kernel puts a new mapping into the first
 * gap that fits, which may be what the program has just unmapped and now names in a call, to be
 * told EFAULT.
 */
#ifndef FERRY_APART_H
#define FERRY_APART_H

#include <stddef.h>

/* mmap(2) at an address that the library chooses. The address, or -errno. */
long apart_mmap(size_t len_bytes, int prot, int flags, int fd, long offset);

#endif
