/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library's own memory. Everything that it accesses while pages are in flight (stacks, queues,
 * descriptors, batches) and every frame pool lies in mappings that are made here and recorded by
 * address. A request that covers such pages is thus recognized: they never go through the exchange
 * mover.
 */
#ifndef FERRY_VAULT_H
#define FERRY_VAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"

/*
 * Allocates zeroed memory, populated so that no later access faults. It is aligned to its length
 * rounded up to a power of two, but to no more than a page. 0, -ENOMEM. vault_free takes the same
 * length and ignores NULL. Small blocks share mappings, and some freed ones are cached.
 */
int __must_check vault_alloc(size_t len_bytes, void **out);
void vault_free(void *addr, size_t len_bytes);

/*
 * The same, but the kernel provides each page when it is first used, so that what is not used costs
 * nothing: for memory of which most is rarely used. Such a fault waits for no page in flight,
 * because vault memory is not registered with any userfaultfd. Freed blocks are not cached.
 */
int __must_check vault_alloc_lazy(size_t len_bytes, void **out);
void vault_free_lazy(void *addr, size_t len_bytes);

/* The same for stacks: the lowest page is a guard page. */
int __must_check vault_alloc_guarded(size_t len_bytes, void **out);
void vault_free_guarded(void *addr, size_t len_bytes);

/*
 * Reserves address space aligned to 2 MiB, without memory behind it and without access, so that
 * nothing charges or populates it: for frame pools. mprotect(2) opens up what is to be used. It is
 * absent from forked children and from core dumps. 0, -ENOMEM.
 */
int __must_check vault_reserve(size_t len_bytes, void **out);
void vault_unreserve(void *addr, size_t len_bytes);

/* True if any byte of [addr, addr + len_bytes) lies in a vault mapping. Thread-safe, lock-free. */
bool vault_overlaps(const void *addr, size_t len_bytes);

/*
 * True if addr lies in reserved address space. [*start, *end) is the range around addr for which
 * the answer is the same. Thread-safe, lock-free.
 */
bool vault_find_reserved(uintptr_t addr, uintptr_t *start, uintptr_t *end);

/*
 * As vault_overlaps(), but it also waits for mappings that are being made: it knows every vault
 * mapping that exists when it is called.
 */
bool vault_overlaps_settled(const void *addr, size_t len_bytes);

/*
 * In a forked child, whose only thread is this one: drops reservations, which do not exist there,
 * and whatever another thread of the parent was doing.
 */
void vault_forget_parent(void);

#endif
