/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages into address order, without a call of malloc. */
#ifndef FERRY_SORT_H
#define FERRY_SORT_H

#include "base/base.h"

/* Strictly. */
bool pages_rise(const uintptr_t *pages, uint64_t nr);

/*
 * Indexes of pages in the order of their addresses, those of one page as they were. *order: vault
 * memory for `room` entries, at least nr, the caller's to free; NULL where pages rise already. 0,
 * -ENOMEM.
 */
int __must_check pages_order(const uintptr_t *pages, uint64_t nr, uint64_t room, uint32_t **order);

#endif
