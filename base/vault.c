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
 * A page may be looked up while other threads add and remove mappings, so an entry is published by
 * its end: an entry with end 0 is empty. Contexts need a few mappings each; a full table is ENOMEM.
 */
#define VAULT_MAX 2048

struct vault_entry {
	atomic_uintptr_t start;
	atomic_uintptr_t end;
	bool reserved; /* not in forked children; changed under the lock */
};

static struct vault_entry vault_entries[VAULT_MAX];
static struct futex_lock vault_lock;

static int vault_add(uintptr_t start, uintptr_t end, bool reserved)
{
	int err = -ENOMEM;

	futex_lock(&vault_lock);
	for (size_t i = 0; i < VAULT_MAX; i++) {
		if (atomic_load_explicit(&vault_entries[i].end, memory_order_relaxed))
			continue;
		vault_entries[i].reserved = reserved;
		atomic_store_explicit(&vault_entries[i].start, start, memory_order_relaxed);
		atomic_store_explicit(&vault_entries[i].end, end, memory_order_release);
		err = 0;
		break;
	}
	futex_unlock(&vault_lock);
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

static long vault_map(size_t len_bytes, int prot, int flags)
{
	return sys(SYS_mmap, NULL, len_bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

/*
 * Blocks given back are kept for the next who asks: requests come one after another, and mapping
 * and unmapping costs each of them more than the memory's contents do, not least by the interrupts
 * that tell all other CPUs of it.
 */
#define CACHE_CLASSES 9 /* 1, 2, 4 … 256 pages */
#define CACHE_BLOCKS  8 /* of each */

static void *cache[CACHE_CLASSES][CACHE_BLOCKS];

/* Lengths up to the largest class are rounded up to one. */
static size_t block_bytes(size_t len_bytes, unsigned int *class)
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
		block = cache[class][i];
		cache[class][i] = NULL;
	}
	futex_unlock(&vault_lock);
	return block;
}

static bool cache_put(unsigned int class, void *block)
{
	bool put = false;

	futex_lock(&vault_lock);
	for (unsigned int i = 0; class < CACHE_CLASSES && i < CACHE_BLOCKS && !put; i++) {
		put = !cache[class][i];
		if (put)
			cache[class][i] = block;
	}
	futex_unlock(&vault_lock);
	return put;
}

static int map_populated(size_t len_bytes, void **out)
{
	long addr = vault_map(len_bytes, PROT_READ | PROT_WRITE, MAP_POPULATE);
	int err;

	if (sys_is_error(addr))
		return -ENOMEM;
	err = vault_add((uintptr_t)addr, (uintptr_t)addr + len_bytes, false);
	if (err)
		sys(SYS_munmap, addr, len_bytes);
	else
		*out = (void *)addr;
	return err;
}

static void unmap(void *addr, size_t len_bytes)
{
	vault_remove((uintptr_t)addr);
	sys(SYS_munmap, addr, len_bytes);
}

int vault_alloc(size_t len_bytes, void **out)
{
	unsigned int class;
	size_t len = block_bytes(len_bytes, &class);
	void *block = cache_get(class);

	if (!block)
		return map_populated(len, out);
	memset(block, 0, len);
	*out = block;
	return 0;
}

void vault_free(void *addr, size_t len_bytes)
{
	unsigned int class;
	size_t len = block_bytes(len_bytes, &class);

	if (addr && !cache_put(class, addr))
		unmap(addr, len);
}

int vault_alloc_guarded(size_t len_bytes, void **out)
{
	int err = map_populated(len_bytes, out);

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
		unmap(addr, len_bytes);
}

int vault_reserve(size_t len_bytes, void **out)
{
	size_t slack = len_bytes + HUGE_BYTES;
	uintptr_t start, aligned;
	long addr;
	int err;

	len_bytes = ALIGN_UP(len_bytes, PAGE_BYTES);
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
	sys(SYS_madvise, aligned, len_bytes, MADV_DONTFORK);
	sys(SYS_madvise, aligned, len_bytes, MADV_DONTDUMP);
	*out = (void *)aligned;
	return 0;
}

void vault_unreserve(void *addr, size_t len_bytes)
{
	if (addr)
		unmap(addr, ALIGN_UP(len_bytes, PAGE_BYTES));
}

void vault_freeze(void)
{
	futex_lock(&vault_lock);
}

void vault_thaw(bool in_child)
{
	for (size_t i = 0; in_child && i < VAULT_MAX; i++)
		if (vault_entries[i].reserved)
			atomic_store(&vault_entries[i].end, 0);
	futex_unlock(&vault_lock);
}
