/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies size-versioned structures: those of the public interface, which grow at their end. */
#ifndef FERRY_OPTIONS_H
#define FERRY_OPTIONS_H

#include "base/base.h"

/*
 * Copies the caller's structure, of whatever version, into one of known_bytes; members that it
 * lacks become zero. 0; -EINVAL: its size is not set; -E2BIG: a member that this version does not
 * know is not zero.
 */
int __must_check options_copy(void *to, size_t known_bytes, const void *from);

#endif
