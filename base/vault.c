// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/base.h"
#include "base/sys.h"
#include "base/vault.h"
#include "base/vault_blocks.h"
#include "base/vault_table.h"

bool vault_overlaps(const void *addr, size_t len_bytes)
{
	return vault_table_overlaps((uintptr_t)addr, (uintptr_t)addr + len_bytes);
}

bool vault_find_reserved(uintptr_t addr, uintptr_t *start, uintptr_t *end)
{
	return vault_table_find_reserved(addr, start, end);
}

/* The lock is held from the system call that makes a mapping until the table has it. */
bool vault_overlaps_settled(const void *addr, size_t len_bytes)
{
	bool overlaps;

	futex_lock(&vault_lock);
	overlaps = vault_overlaps(addr, len_bytes);
	futex_unlock(&vault_lock);
	return overlaps;
}

/* ---- mappings of their own, under the lock ---- */

static int vault_map_recorded(size_t len_bytes, int flags, void **out)
{
	long addr = vault_map(len_bytes, PROT_READ | PROT_WRITE, flags);
	int err;

	if (sys_is_error(addr))
		return -ENOMEM;
	err = vault_table_add((uintptr_t)addr, (uintptr_t)addr + len_bytes, false);
	if (err)
		sys(SYS_munmap, addr, len_bytes);
	else
		*out = (void *)addr;
	return err;
}

static void vault_unmap(void *addr, size_t len_bytes)
{
	vault_table_remove((uintptr_t)addr);
	sys(SYS_munmap, addr, len_bytes);
}

/*
 * Freed mappings are cached for later requests. Mapping and unmapping memory costs more than
 * clearing it: every unmap interrupts the other CPUs that run the process to flush their TLBs.
 * Increasing these numbers saves more mmap and munmap calls and keeps more idle memory, at most 12
 * MiB now.
 */
#define CACHE_CLASSES 2 /* 512 KiB and 1 MiB */
#define CACHE_BLOCKS  8 /* per class */

static void *vault_cache[CACHE_CLASSES][CACHE_BLOCKS] __never_in_flight;

/* The length of the mapping: a class's length, or whole pages above the largest class. */
static size_t cache_block_bytes(size_t len_bytes, unsigned int *class)
{
	for (*class = 0; *class < CACHE_CLASSES; ++*class)
		if (len_bytes <= MAX_BLOCK_BYTES << (*class + 1))
			return MAX_BLOCK_BYTES << (*class + 1);
	return ALIGN_UP(len_bytes, PAGE_BYTES);
}

static void *cache_get(unsigned int class)
{
	void *block = NULL;

	for (unsigned int i = 0; class < CACHE_CLASSES && i < CACHE_BLOCKS && !block; i++) {
		block = vault_cache[class][i];
		vault_cache[class][i] = NULL;
	}
	return block;
}

static bool cache_put(unsigned int class, void *block)
{
	bool put = false;

	for (unsigned int i = 0; class < CACHE_CLASSES && i < CACHE_BLOCKS && !put; i++) {
		put = !vault_cache[class][i];
		if (put)
			vault_cache[class][i] = block;
	}
	return put;
}

/* *clear: the memory may hold something. */
static void *vault_get(size_t len_bytes, bool *clear)
{
	unsigned int class;
	size_t len = cache_block_bytes(len_bytes, &class);
	void *block;

	*clear = true;
	if (len_bytes <= MAX_BLOCK_BYTES)
		return vault_block_get(len_bytes);
	block = cache_get(class);
	if (block)
		return block;
	*clear = false;
	return vault_map_recorded(len, MAP_POPULATE, &block) ? NULL : block;
}

static void vault_put(void *addr, size_t len_bytes)
{
	unsigned int class;
	size_t len = cache_block_bytes(len_bytes, &class);

	if (len_bytes <= MAX_BLOCK_BYTES)
		vault_block_put(addr, len_bytes);
	else if (!cache_put(class, addr))
		vault_unmap(addr, len);
}

/* ---- the interface ---- */

int vault_alloc(size_t len_bytes, void **out)
{
	void *block;
	bool clear;

	futex_lock(&vault_lock);
	block = vault_get(len_bytes, &clear);
	futex_unlock(&vault_lock);
	if (!block)
		return -ENOMEM;
	/* This populates a new block, too. */
	if (clear)
		memset(block, 0, len_bytes);
	*out = block;
	return 0;
}

void vault_free(void *addr, size_t len_bytes)
{
	if (!addr)
		return;
	futex_lock(&vault_lock);
	vault_put(addr, len_bytes);
	futex_unlock(&vault_lock);
}

int vault_alloc_lazy(size_t len_bytes, void **out)
{
	int err;

	len_bytes = ALIGN_UP(len_bytes, PAGE_BYTES);
	futex_lock(&vault_lock);
	err = vault_map_recorded(len_bytes, 0, out);
	futex_unlock(&vault_lock);
	if (!err)
		sys(SYS_madvise, *out, len_bytes, MADV_NOHUGEPAGE);
	return err;
}

void vault_free_lazy(void *addr, size_t len_bytes)
{
	if (!addr)
		return;
	futex_lock(&vault_lock);
	vault_unmap(addr, ALIGN_UP(len_bytes, PAGE_BYTES));
	futex_unlock(&vault_lock);
}

int vault_alloc_guarded(size_t len_bytes, void **out)
{
	int err = vault_alloc_lazy(len_bytes, out);

	if (err)
		return err;
	err = (int)sys(SYS_mprotect, *out, PAGE_BYTES, PROT_NONE);
	if (err) {
		vault_free_guarded(*out, len_bytes);
		*out = NULL;
	}
	return err;
}

void vault_free_guarded(void *addr, size_t len_bytes)
{
	vault_free_lazy(addr, len_bytes);
}

int vault_reserve(size_t len_bytes, void **out)
{
	void *start;

	len_bytes = ALIGN_UP(len_bytes, PAGE_BYTES);
	futex_lock(&vault_lock);
	start = vault_map_aligned(len_bytes, MAP_NORESERVE, true);
	futex_unlock(&vault_lock);
	if (!start)
		return -ENOMEM;
	sys(SYS_madvise, start, len_bytes, MADV_DONTFORK);
	sys(SYS_madvise, start, len_bytes, MADV_DONTDUMP);
	*out = start;
	return 0;
}

void vault_unreserve(void *addr, size_t len_bytes)
{
	vault_free_lazy(addr, len_bytes);
}

void vault_forget_parent(void)
{
	vault_table_forget_reserved();
	vault_blocks_forget();
	memset(vault_cache, 0, sizeof(vault_cache));
	atomic_store(&vault_lock.word, 0);
}
