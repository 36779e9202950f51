/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long an answer is waited for: a timeout, and another for every timeout in which the device
 * ended something else, while that may be what was ahead. So a slow device that works keeps its
 * work, one that stops loses it within two timeouts, and what a working device has lost is missed
 * once enough has gone past it.
 */
#ifndef FERRY_DSA_PATIENCE_H
#define FERRY_DSA_PATIENCE_H

#include <stdint.h>

#include "base/base.h"

/* Engines of a device work side by side: this many go past each one ahead before it is odd. */
#define DSA_PASSES_EACH 8

struct dsa_patience {
	uint64_t until_ns;
	uint32_t nr_ended;  /* by the device in all, when last looked at */
	uint32_t nr_passes; /* how many may still end before this does */
};

static inline void dsa_patience_begin(struct dsa_patience *p, uint64_t until_ns, uint32_t nr_ended,
				      uint32_t nr_ahead)
{
	p->until_ns = until_ns;
	p->nr_ended = nr_ended;
	p->nr_passes = (nr_ahead + 1) * DSA_PASSES_EACH;
}

static inline bool dsa_patience_is_over(struct dsa_patience *p, uint64_t now_ns,
					uint64_t timeout_ns, uint32_t nr_ended)
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
