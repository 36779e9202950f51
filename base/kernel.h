/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which kernel runs here. */
#ifndef FERRY_KERNEL_H
#define FERRY_KERNEL_H

#include "base/base.h"

/* Major, minor, patch; zeros where it does not tell. */
void kernel_version(int version[3]);

static inline bool kernel_since(const int version[3], int major, int minor)
{
	return version[0] > major || (version[0] == major && version[1] >= minor);
}

#endif
