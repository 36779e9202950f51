// SPDX-License-Identifier: LGPL-2.1-or-later
/* Moves a bay between the lists of its pool as what it holds changes. */
#include "lib/pool/bays.h"

void bay_unlist(struct pool *pool, uint32_t index)
{
	struct bay *bay = &pool->bays[index];

	if (bay->list == BAYS_NONE)
		return;
	if (bay->prev != NO_BAY)
		pool->bays[bay->prev].next = bay->next;
	else
		pool->heads[bay->list] = bay->next;
	if (bay->next != NO_BAY)
		pool->bays[bay->next].prev = bay->prev;
	bay->list = BAYS_NONE;
}

static void bay_list_add(struct pool *pool, uint32_t index, enum bay_list list)
{
	struct bay *bay = &pool->bays[index];

	bay->prev = NO_BAY;
	bay->next = pool->heads[list];
	if (bay->next != NO_BAY)
		pool->bays[bay->next].prev = index;
	pool->heads[list] = index;
	bay->list = list;
}

void bay_relist(struct pool *pool, uint32_t index)
{
	struct bay *bay = &pool->bays[index];

	bay_unlist(pool, index);
	if (bay->broken || pool->extents[index / EXTENT_BAYS] != EXTENT_ACTIVE ||
	    bay->nr_reserved == PAGES_PER_HUGE)
		return;
	if (bay->nr_reserved)
		bay_list_add(pool, index, BAYS_MIXED);
	else if (bay->nr_resident == PAGES_PER_HUGE)
		bay_list_add(pool, index, BAYS_FULL);
	else if (bay->nr_resident == 0)
		bay_list_add(pool, index, BAYS_EMPTY);
	else
		bay_list_add(pool, index, BAYS_MIXED);
}
