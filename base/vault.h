/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory of our own. Everything that is touched while pages are out (stacks, queues, descriptors,
 * batches) and every frame pool lies in mappings made here and is known by address, so that a
 * request which covers them can be told apart: such pages never go through the exchange mover.
 */
#ifndef FERRY_VAULT_H
#define FERRY_VAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"

/*
 * Zeroed, page-aligned memory, populated so that no fault is taken on it later.
 * Returns 0, -ENOMEM. vault_free takes the same size; NULL is ignored. A few freed blocks are kept
 * to be given out again.
 */
int __must_check vault_alloc(size_t len_bytes, void **out);
void vault_free(void *addr, size_t len_bytes);

/* The same for stacks: the lowest page can't be touched, and nothing is kept. */
int __must_check vault_alloc_guarded(size_t len_bytes, void **out);
void vault_free_guarded(void *addr, size_t len_bytes);

/*
 * Address space only, aligned to 2 MiB, with nothing behind it yet: for frame pools. Left out of
 * forked children and core dumps.
 */
int __must_check vault_reserve(size_t len_bytes, void **out);
void vault_unreserve(void *addr, size_t len_bytes);

/* True if any byte of [addr, addr + len_bytes) belongs to a vault mapping. Thread-safe. */
bool vault_overlaps(const void *addr, size_t len_bytes);

/*
 * Around fork(2): nobody is in the middle of a change. Both sides call vault_thaw; in the child it
 * forgets reservations, which were left out of it.
 */
void vault_freeze(void);
void vault_thaw(bool in_child);

#endif
