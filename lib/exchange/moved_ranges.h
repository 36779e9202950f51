/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registered ranges that mremap(2) has carried elsewhere, or added where it made a mapping longer.
 * No job unregisters them, so they are kept here until no window is open.
 */
#ifndef FERRY_MOVED_RANGES_H
#define FERRY_MOVED_RANGES_H

#include <stdatomic.h>

#include "base/base.h"

struct moved_ranges {
	atomic_uint nr;
	struct {
		uintptr_t start;
		size_t len_bytes;
	} range[64];
};

/* The caller has shut `move_gate`. A range that finds the list full stays registered. */
void moved_ranges_add(struct moved_ranges *moved, uintptr_t start, size_t len_bytes);

#endif
