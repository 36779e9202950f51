/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registered ranges outside the windows: mremap(2) has carried them elsewhere, or a mapping has
 * grown beyond a window. No job unregisters them, so they are kept here until no window is open.
 */
#ifndef FERRY_MOVED_RANGES_H
#define FERRY_MOVED_RANGES_H

#include <stdatomic.h>

#include "base/base.h"

struct moved_ranges {
	atomic_uint nr;
	bool full; /* there are more: any mapping may be one */
	struct {
		uintptr_t start, end;
	} range[64];
};

/* The caller has shut `move_gate`. */
void moved_ranges_add(struct moved_ranges *moved, uintptr_t start, uintptr_t end);

#endif
