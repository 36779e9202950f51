/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the drop-in needs of the library beyond its public header. */
#ifndef FERRY_API_PRELOAD_H
#define FERRY_API_PRELOAD_H

#include "include/pageferry.h"

/*
 * From now on frames that left the process's pages are freed, not used again: for programs that
 * hand pages to the kernel by reference (MSG_ZEROCOPY, vmsplice).
 */
void ferry_fresh_frames(struct ferry *ferry);

#endif
