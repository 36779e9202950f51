/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long to wait for an answer of a device: a timeout, renewed for every timeout in which the
 * device ended something else, while that may have been ahead in its queue. So a slow device that
 * works keeps its work; one that stops loses it within two timeouts; and an answer that a working
 * device lost is missed once enough other work has completed after it.
 */
#ifndef FERRY_DEVICE_PATIENCE_H
#define FERRY_DEVICE_PATIENCE_H

#include <stdint.h>

#include "base/base.h"

/* The engines of a device work in parallel: up to this many overtake each one that is ahead. */
#define PATIENCE_PASSES_EACH 8

struct patience {
	uint64_t until_ns;
	uint32_t nr_ended;  /* by the device in all, at the last look */
	uint32_t nr_passes; /* that may still end before this one does */
};

static inline void patience_begin(struct patience *p, uint64_t until_ns, uint32_t nr_ended,
				  uint32_t nr_ahead)
{
	p->until_ns = until_ns;
	p->nr_ended = nr_ended;
	p->nr_passes = (nr_ahead + 1) * PATIENCE_PASSES_EACH;
}

static inline bool patience_is_over(struct patience *p, uint64_t now_ns, uint64_t timeout_ns,
				    uint32_t nr_ended)
{
	uint32_t nr_past = nr_ended - p->nr_ended;

	if (now_ns < p->until_ns)
		return false;
	if (!nr_past || !p->nr_passes)
		return true;
	p->until_ns = now_ns + timeout_ns;
	p->nr_ended = nr_ended;
	p->nr_passes -= MIN(nr_past, p->nr_passes);
	return false;
}

#endif
