/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A token bucket in bytes that the jobs of a context share. It tells when the next unit may begin:
 * units are counted when they are handed out, so that pages in flight do not exceed the cap.
 */
#ifndef FERRY_BANDWIDTH_H
#define FERRY_BANDWIDTH_H

#include <stdatomic.h>

#include "base/base.h"

struct bandwidth {
	uint64_t max_bytes_per_s; /* 0: no cap */
	_Atomic uint64_t due_ns;  /* when what has been handed out would be done at that rate */
};

void bandwidth_take(struct bandwidth *bandwidth, uint64_t bytes, uint64_t now_ns);
/* The time at which the cap allows more; 0: now. */
uint64_t bandwidth_until(struct bandwidth *bandwidth, uint64_t now_ns);

#endif
