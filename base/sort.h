/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Puts pages into address order without calling malloc. */
#ifndef FERRY_SORT_H
#define FERRY_SORT_H

#include "base/base.h"

/* True if each page has a higher address than the one before. */
bool pages_ascend(const uintptr_t *pages, uint64_t nr);

/*
 * Stores in *order the indexes of the nr pages, sorted by address. The sort is stable: entries that
 * name the same page keep their order. *order is NULL if the pages ascend already; otherwise it is
 * vault memory for `room` entries (at least nr), and the caller frees it. 0, -ENOMEM.
 */
int __must_check pages_order(const uintptr_t *pages, uint64_t nr, uint64_t room, uint32_t **order);

#endif
