/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mappings of the vault. For base/vault*.c only; changes are made under vault_lock. */
#ifndef FERRY_VAULT_TABLE_H
#define FERRY_VAULT_TABLE_H

#include "base/base.h"
#include "base/futex.h"

extern struct futex_lock vault_lock;

/* Records a mapping. reserved: it is absent in forked children. 0 or -ENOMEM. */
int __must_check vault_table_add(uintptr_t start, uintptr_t end, bool reserved);
void vault_table_remove(uintptr_t start);
bool vault_table_overlaps(uintptr_t start, uintptr_t end);
bool vault_table_find_reserved(uintptr_t addr, uintptr_t *start, uintptr_t *end);
void vault_table_forget_reserved(void);

/* An anonymous mapping that is not recorded yet. The address or -errno. */
long vault_map(size_t len_bytes, int prot, int flags);
/* The same, aligned to 2 MiB, recorded, and without access if reserved. NULL: no memory. */
void *__must_check vault_map_aligned(size_t len_bytes, int flags, bool reserved);

#endif
