/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the library offers the drop-in beyond its public header. */
#ifndef FERRY_API_PRELOAD_H
#define FERRY_API_PRELOAD_H

#include "include/pageferry.h"

/*
 * From now on the context frees the frames that pages have left, and does not use them again. For
 * programs that lend pages to the kernel (MSG_ZEROCOPY, vmsplice).
 */
void ferry_fresh_frames(struct ferry *ferry);

/*
 * Contexts that are opened from now on use this profile, as PAGEFERRY_PROFILE tells in the
 * environment. wanted is not copied. False: it cannot be used, and why says so.
 */
bool ferry_use_profile(const char *wanted, char *why, size_t why_bytes);

#endif
