/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A short list of address ranges, in no order. The caller sees to locking. */
#ifndef FERRY_RANGE_LIST_H
#define FERRY_RANGE_LIST_H

#include <stdatomic.h>

#include "base/base.h"

struct range_list {
	atomic_uint nr; /* readable without the lock */
	bool full;      /* there are more than it holds: any address may be in one */
	struct {
		uintptr_t start, end;
	} range[64];
};

/* A range that touches another one is added to it. */
void range_list_add(struct range_list *list, uintptr_t start, uintptr_t end);
bool range_list_overlaps(const struct range_list *list, uintptr_t start, uintptr_t end);
void range_list_clear(struct range_list *list);

#endif
