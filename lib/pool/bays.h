/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool keeps its bays on lists by what they hold. All under the pool's lock. */
#ifndef FERRY_BAYS_H
#define FERRY_BAYS_H

#include "lib/pool/pool.h"

#define NO_BAY UINT32_MAX

static inline uintptr_t bay_addr(const struct pool *pool, uint32_t bay)
{
	return pool->base + (uintptr_t)bay * HUGE_BYTES;
}

/* Puts a bay on the list that it belongs on, if any. */
void bay_relist(struct pool *pool, uint32_t index);
void bay_unlist(struct pool *pool, uint32_t index);

#endif
