/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A set of address ranges with a number each, as a treap. The caller allocates the nodes and holds
 * a lock.
 */
#ifndef FERRY_INTERVAL_H
#define FERRY_INTERVAL_H

#include "base/base.h"

struct interval {
	uintptr_t low, high; /* [low, high) */
	uint64_t number;     /* each is different */

	/* of the set */
	struct interval *left, *right; /* ordered by low, then by number */
	uint64_t priority;             /* a node's is greater than those below it */
	uintptr_t max_high;            /* of the node and those below it, like the next two */
	uint64_t min_number, max_number;
};

/* The caller has set low, high and number. An empty interval must not be added. */
void interval_add(struct interval **set, struct interval *interval);
void interval_remove(struct interval **set, struct interval *interval);

/*
 * The interval with the greatest number below `number` that overlaps [low, high); NULL: none. It
 * looks at few nodes, unless many overlap whose numbers do not rise with their addresses.
 */
struct interval *interval_latest(struct interval *set, uintptr_t low, uintptr_t high,
				 uint64_t number);

#endif
