/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lists on which a pool keeps its bays, by what they hold. Callers hold the pool's lock. */
#ifndef FERRY_BAYS_H
#define FERRY_BAYS_H

#include "lib/pool/pool.h"

#define NO_BAY UINT32_MAX

static inline uintptr_t bay_addr(const struct pool *pool, uint32_t bay)
{
	return pool->base + (uintptr_t)bay * HUGE_BYTES;
}

/* Puts a bay on the list that its contents call for; on none if it has nothing to hand out. */
void bay_relist(struct pool *pool, uint32_t index);
/* Takes a bay off its list, if it is on one. */
void bay_unlist(struct pool *pool, uint32_t index);

#endif
