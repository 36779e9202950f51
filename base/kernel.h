/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The version of the running kernel. */
#ifndef FERRY_KERNEL_H
#define FERRY_KERNEL_H

#include "base/base.h"

/* Fills major, minor and patch level; a part that uname(2) does not give is 0. */
void kernel_version(int version[3]);

/* True if the version is major.minor or later. */
static inline bool kernel_since(const int version[3], int major, int minor)
{
	return version[0] > major || (version[0] == major && version[1] >= minor);
}

#endif
