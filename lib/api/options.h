/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Structures that grow at their end: taking one in whatever its age. */
#ifndef FERRY_OPTIONS_H
#define FERRY_OPTIONS_H

#include "base/base.h"

/*
 * Copies a sized structure of the caller's into one of ours, missing members zero. -EINVAL: its
 * size is 0; -E2BIG: members behind the ones we know are not zero.
 */
int __must_check options_copy(void *to, size_t known_bytes, const void *from);

#endif
