// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/base.h"
#include "base/futex.h"
#include "base/sys.h"
#include "base/vault.h"

/*
 * Look-ups take no lock while other threads add and remove mappings. A non-zero end publishes an
 * entry; an entry with end 0 is empty. A context needs a few mappings, and a full table is -ENOMEM.
 * Increasing VAULT_MAX allows for more mappings and makes every look-up scan more entries.
 */
#define VAULT_MAX 2048

struct vault_entry {
	atomic_uintptr_t start;
	atomic_uintptr_t end;
	bool reserved; /* absent in forked children; changed under the lock */
};

static struct vault_entry vault_entries[VAULT_MAX];
static struct futex_lock vault_lock;

/* Under the lock, as the call that makes the mapping: vault_overlaps_settled() relies on it. */
static int vault_add(uintptr_t start, uintptr_t end, bool reserved)
{
	int err = -ENOMEM;

	for (size_t i = 0; i < VAULT_MAX; i++) {
		if (atomic_load_explicit(&vault_entries[i].end, memory_order_relaxed))
			continue;
		vault_entries[i].reserved = reserved;
		atomic_store_explicit(&vault_entries[i].start, start, memory_order_relaxed);
		atomic_store_explicit(&vault_entries[i].end, end, memory_order_release);
		err = 0;
		break;
	}
	return err;
}

static void vault_remove(uintptr_t start)
{
	futex_lock(&vault_lock);
	for (size_t i = 0; i < VAULT_MAX; i++) {
		if (atomic_load_explicit(&vault_entries[i].end, memory_order_relaxed) &&
		    atomic_load_explicit(&vault_entries[i].start, memory_order_relaxed) == start) {
			atomic_store_explicit(&vault_entries[i].end, 0, memory_order_release);
			break;
		}
	}
	futex_unlock(&vault_lock);
}

bool vault_overlaps(const void *addr, size_t len_bytes)
{
	uintptr_t start = (uintptr_t)addr;

	for (size_t i = 0; i < VAULT_MAX; i++) {
		uintptr_t end = atomic_load_explicit(&vault_entries[i].end, memory_order_acquire);

		if (end > start && atomic_load_explicit(&vault_entries[i].start,
							memory_order_relaxed) < start + len_bytes)
			return true;
	}
	return false;
}

bool vault_overlaps_settled(const void *addr, size_t len_bytes)
{
	bool overlaps;

	futex_lock(&vault_lock);
	overlaps = vault_overlaps(addr, len_bytes);
	futex_unlock(&vault_lock);
	return overlaps;
}

static long vault_map(size_t len_bytes, int prot, int flags)
{
	return sys(SYS_mmap, NULL, len_bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

/*
 * Freed blocks are cached for later requests. Mapping and unmapping memory costs more than clearing
 * it: every unmap interrupts the other CPUs that run the process to flush their TLBs. Increasing
 * these numbers saves more mmap and munmap calls and keeps more idle memory, at most 4088 pages
 * now.
 */
#define CACHE_CLASSES 9 /* 1, 2, 4 ... 256 pages */
#define CACHE_BLOCKS  8 /* per class */

static void *vault_cache[CACHE_CLASSES][CACHE_BLOCKS];

/* The length of the block to allocate: a class's length, or whole pages above the largest class. */
static size_t cache_block_bytes(size_t len_bytes, unsigned int *class)
{
	for (*class = 0; *class < CACHE_CLASSES; ++*class)
		if (len_bytes <= PAGE_BYTES << *class)
			return PAGE_BYTES << *class;
	return ALIGN_UP(len_bytes, PAGE_BYTES);
}

static void *cache_get(unsigned int class)
{
	void *block = NULL;

	futex_lock(&vault_lock);
	for (unsigned int i = 0; class < CACHE_CLASSES && i < CACHE_BLOCKS && !block; i++) {
		block = vault_cache[class][i];
		vault_cache[class][i] = NULL;
	}
	futex_unlock(&vault_lock);
	return block;
}

static bool cache_put(unsigned int class, void *block)
{
	bool put = false;

	futex_lock(&vault_lock);
	for (unsigned int i = 0; class < CACHE_CLASSES && i < CACHE_BLOCKS && !put; i++) {
		put = !vault_cache[class][i];
		if (put)
			vault_cache[class][i] = block;
	}
	futex_unlock(&vault_lock);
	return put;
}

static int vault_map_populated(size_t len_bytes, void **out)
{
	int err = -ENOMEM;
	long addr;

	futex_lock(&vault_lock);
	addr = vault_map(len_bytes, PROT_READ | PROT_WRITE, MAP_POPULATE);
	if (!sys_is_error(addr)) {
		err = vault_add((uintptr_t)addr, (uintptr_t)addr + len_bytes, false);
		if (err)
			sys(SYS_munmap, addr, len_bytes);
		else
			*out = (void *)addr;
	}
	futex_unlock(&vault_lock);
	return err;
}

static void vault_unmap(void *addr, size_t len_bytes)
{
	vault_remove((uintptr_t)addr);
	sys(SYS_munmap, addr, len_bytes);
}

int vault_alloc(size_t len_bytes, void **out)
{
	unsigned int class;
	size_t len = cache_block_bytes(len_bytes, &class);
	void *block = cache_get(class);

	if (!block)
		return vault_map_populated(len, out);
	memset(block, 0, len);
	*out = block;
	return 0;
}

void vault_free(void *addr, size_t len_bytes)
{
	unsigned int class;
	size_t len = cache_block_bytes(len_bytes, &class);

	if (addr && !cache_put(class, addr))
		vault_unmap(addr, len);
}

int vault_alloc_guarded(size_t len_bytes, void **out)
{
	int err = vault_map_populated(len_bytes, out);

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
	if (addr)
		vault_unmap(addr, len_bytes);
}

static int vault_reserve_locked(size_t len_bytes, void **out)
{
	size_t slack = len_bytes + HUGE_BYTES;
	uintptr_t start, aligned;
	long addr;
	int err;

	addr = vault_map(slack, PROT_READ | PROT_WRITE, MAP_NORESERVE);
	if (sys_is_error(addr))
		return -ENOMEM;
	start = (uintptr_t)addr;
	aligned = ALIGN_UP(start, HUGE_BYTES);
	if (aligned > start)
		sys(SYS_munmap, start, aligned - start);
	if (start + slack > aligned + len_bytes)
		sys(SYS_munmap, aligned + len_bytes, start + slack - aligned - len_bytes);
	err = vault_add(aligned, aligned + len_bytes, true);
	if (err) {
		sys(SYS_munmap, aligned, len_bytes);
		return err;
	}
	*out = (void *)aligned;
	return 0;
}

int vault_reserve(size_t len_bytes, void **out)
{
	int err;

	len_bytes = ALIGN_UP(len_bytes, PAGE_BYTES);
	futex_lock(&vault_lock);
	err = vault_reserve_locked(len_bytes, out);
	futex_unlock(&vault_lock);
	if (err)
		return err;
	sys(SYS_madvise, *out, len_bytes, MADV_DONTFORK);
	sys(SYS_madvise, *out, len_bytes, MADV_DONTDUMP);
	return 0;
}

void vault_unreserve(void *addr, size_t len_bytes)
{
	if (addr)
		vault_unmap(addr, ALIGN_UP(len_bytes, PAGE_BYTES));
}

void vault_forget_parent(void)
{
	for (size_t i = 0; i < VAULT_MAX; i++)
		if (vault_entries[i].reserved)
			atomic_store(&vault_entries[i].end, 0);
	atomic_store(&vault_lock.word, 0);
}
