// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/base.h"
#include "base/futex.h"
#include "base/sys.h"
#include "base/vault.h"

#ifdef FERRY_SYS_HOOKS
sys_hook_fn sys_hook;
#endif

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

static bool is_error(long ret)
{
	return ret < 0 && ret >= -4095;
}

int vault_alloc(size_t len_bytes, void **out)
{
	long addr;
	int err;

	len_bytes = ALIGN_UP(len_bytes, PAGE_BYTES);
	addr = vault_map(len_bytes, PROT_READ | PROT_WRITE, MAP_POPULATE);
	if (is_error(addr))
		return -ENOMEM;
	err = vault_add((uintptr_t)addr, (uintptr_t)addr + len_bytes, false);
	if (err) {
		sys(SYS_munmap, addr, len_bytes);
		return err;
	}
	*out = (void *)addr;
	return 0;
}

void vault_free(void *addr, size_t len_bytes)
{
	if (!addr)
		return;
	vault_remove((uintptr_t)addr);
	sys(SYS_munmap, addr, ALIGN_UP(len_bytes, PAGE_BYTES));
}

int vault_reserve(size_t len_bytes, void **out)
{
	size_t slack = len_bytes + HUGE_BYTES;
	uintptr_t start, aligned;
	long addr;
	int err;

	len_bytes = ALIGN_UP(len_bytes, PAGE_BYTES);
	addr = vault_map(slack, PROT_READ | PROT_WRITE, MAP_NORESERVE);
	if (is_error(addr))
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
