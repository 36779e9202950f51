/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Blocks that are cut from regions of 2 MiB, so that many allocations need few mappings. For
 * base/vault.c only; all functions are called under vault_lock.
 */
#ifndef FERRY_VAULT_BLOCKS_H
#define FERRY_VAULT_BLOCKS_H

#include "base/base.h"

/*
 * Larger blocks have mappings of their own. Increasing this makes fewer mappings; decreasing it
 * wastes less of a region.
 */
#define MAX_BLOCK_BYTES (256UL << 10)

/*
 * A block of at most MAX_BLOCK_BYTES, not cleared, and aligned to its length rounded up to a power
 * of two, but to no more than a page. NULL: no memory.
 */
void *__must_check vault_block_get(size_t len_bytes);
void vault_block_put(void *block, size_t len_bytes);
/*
 * In a forked child: leaves the parent's regions as they are, because another thread may have been
 * at work on them. Their blocks stay valid; vault_block_put() ignores them.
 */
void vault_blocks_forget(void);

#endif
