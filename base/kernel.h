/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The version of the running kernel, and the features that it decides. */
#ifndef FERRY_KERNEL_H
#define FERRY_KERNEL_H

#include "base/base.h"

/*
 * What the library cannot find out by trying. kernel.c has the table of the versions.
 *
 * The library tries everything else, whatever the version: MADV_POPULATE_WRITE (5.14),
 * UFFDIO_POISON (6.6), PAGEMAP_SCAN (6.7), UFFDIO_MOVE itself (6.8), PROCMAP_QUERY (6.11).
 */
enum kernel_feature {
	KERNEL_BATCHED_UNMAP, /* migration flushes TLBs once for many unmapped pages */
	KERNEL_SAFE_MOVE,     /* UFFDIO_MOVE has the fixes for lost pages and livelocks */
	KERNEL_BATCHED_MOVE,  /* UFFDIO_MOVE flushes TLBs once per call, not once per page */
	NR_KERNEL_FEATURES,
};

/* True if the running kernel has the feature. */
bool kernel_has(enum kernel_feature feature);

/* The same of any version: major, minor and patch level. */
bool kernel_version_has(const int version[3], enum kernel_feature feature);

/* Fills major, minor and patch level; a part that uname(2) does not give is 0. */
void kernel_version(int version[3]);

#endif
