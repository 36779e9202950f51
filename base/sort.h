/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages into address order, without a call of malloc. */
#ifndef FERRY_SORT_H
#define FERRY_SORT_H

#include "base/base.h"

/* Strictly. */
bool pages_rise(const uintptr_t *pages, uint64_t nr);

/*
 * order: nr indexes of pages, in any order; afterwards in that of their pages, those of one page as
 * they were. spare: nr entries to work with.
 */
void pages_sort(const uintptr_t *pages, uint32_t *order, uint32_t *spare, uint64_t nr);

#endif
