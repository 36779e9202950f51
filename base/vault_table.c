// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Look-ups take no lock while other threads add and remove mappings. A non-zero end publishes an
 * entry; an entry with end 0 is empty. Further tables are mapped when the first is full, and stay.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "base/apart.h"
#include "base/sys.h"
#include "base/vault_table.h"

/* Increasing this makes the library's .data larger; decreasing it needs a second table sooner. */
#define TABLE_ENTRIES 256

struct vault_entry {
	atomic_uintptr_t start;
	atomic_uintptr_t end;
	bool reserved;
};

struct vault_table {
	_Atomic(struct vault_table *) next;
	atomic_uint nr_used; /* entries beyond are empty */
	struct vault_entry entries[TABLE_ENTRIES];
};

struct futex_lock vault_lock __never_in_flight;
static struct vault_table first_table __never_in_flight;

static struct vault_table *table_next(const struct vault_table *table)
{
	return atomic_load_explicit(&table->next, memory_order_acquire);
}

static void entry_set(struct vault_entry *entry, uintptr_t start, uintptr_t end, bool reserved)
{
	entry->reserved = reserved;
	atomic_store_explicit(&entry->start, start, memory_order_relaxed);
	atomic_store_explicit(&entry->end, end, memory_order_release);
}

static struct vault_entry *table_find(struct vault_table *table, uintptr_t start, bool empty)
{
	unsigned int nr_used = atomic_load_explicit(&table->nr_used, memory_order_relaxed);

	for (unsigned int i = 0; i < nr_used; i++) {
		struct vault_entry *entry = &table->entries[i];
		uintptr_t end = atomic_load_explicit(&entry->end, memory_order_relaxed);

		if (empty ? !end
			  : end && atomic_load_explicit(&entry->start, memory_order_relaxed) ==
					    start)
			return entry;
	}
	return NULL;
}

static bool table_add(struct vault_table *table, uintptr_t start, uintptr_t end, bool reserved)
{
	struct vault_entry *entry = table_find(table, 0, true);
	unsigned int nr_used = atomic_load_explicit(&table->nr_used, memory_order_relaxed);

	if (!entry && nr_used == TABLE_ENTRIES)
		return false;
	if (!entry) {
		entry = &table->entries[nr_used];
		atomic_store_explicit(&table->nr_used, nr_used + 1, memory_order_release);
	}
	entry_set(entry, start, end, reserved);
	return true;
}

/* The new table's first entry is the table itself. */
static struct vault_table *table_append(struct vault_table *last)
{
	size_t len_bytes = ALIGN_UP(sizeof(struct vault_table), PAGE_BYTES);
	long addr = vault_map(len_bytes, PROT_READ | PROT_WRITE, MAP_POPULATE);
	struct vault_table *table = (struct vault_table *)addr;

	if (sys_is_error(addr) || !table_add(table, (uintptr_t)addr, addr + len_bytes, false))
		return NULL;
	atomic_store_explicit(&last->next, table, memory_order_release);
	return table;
}

int vault_table_add(uintptr_t start, uintptr_t end, bool reserved)
{
	struct vault_table *table = &first_table;

	while (!table_add(table, start, end, reserved)) {
		struct vault_table *next = table_next(table);

		table = next ? next : table_append(table);
		if (!table)
			return -ENOMEM;
	}
	return 0;
}

void vault_table_remove(uintptr_t start)
{
	for (struct vault_table *table = &first_table; table; table = table_next(table)) {
		struct vault_entry *entry = table_find(table, start, false);

		if (!entry)
			continue;
		atomic_store_explicit(&entry->end, 0, memory_order_release);
		return;
	}
}

static bool table_overlaps(const struct vault_table *table, uintptr_t start, uintptr_t end)
{
	unsigned int nr_used = atomic_load_explicit(&table->nr_used, memory_order_acquire);

	for (unsigned int i = 0; i < nr_used; i++) {
		const struct vault_entry *entry = &table->entries[i];

		if (atomic_load_explicit(&entry->end, memory_order_acquire) > start &&
		    atomic_load_explicit(&entry->start, memory_order_relaxed) < end)
			return true;
	}
	return false;
}

bool vault_table_overlaps(uintptr_t start, uintptr_t end)
{
	const struct vault_table *table = &first_table;

	while (table && !table_overlaps(table, start, end))
		table = table_next(table);
	return table;
}

/* Narrows [*start, *end) to the range around addr in which no entry begins or ends. */
static bool table_find_reserved(const struct vault_table *table, uintptr_t addr, uintptr_t *start,
				uintptr_t *end)
{
	unsigned int nr_used = atomic_load_explicit(&table->nr_used, memory_order_acquire);

	for (unsigned int i = 0; i < nr_used; i++) {
		const struct vault_entry *entry = &table->entries[i];
		uintptr_t last = atomic_load_explicit(&entry->end, memory_order_acquire);
		uintptr_t first = atomic_load_explicit(&entry->start, memory_order_relaxed);

		if (!last || !entry->reserved)
			continue;
		if (first <= addr && addr < last) {
			*start = first;
			*end = last;
			return true;
		}
		if (last <= addr)
			*start = MAX(*start, last);
		else
			*end = MIN(*end, first);
	}
	return false;
}

bool vault_table_find_reserved(uintptr_t addr, uintptr_t *start, uintptr_t *end)
{
	const struct vault_table *table = &first_table;

	*start = 0;
	*end = UINTPTR_MAX;
	while (table && !table_find_reserved(table, addr, start, end))
		table = table_next(table);
	return table;
}

void vault_table_forget_reserved(void)
{
	for (struct vault_table *table = &first_table; table; table = table_next(table))
		for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
			if (table->entries[i].reserved)
				atomic_store(&table->entries[i].end, 0);
}

/* ---- mappings ---- */

long vault_map(size_t len_bytes, int prot, int flags)
{
	return apart_mmap(len_bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

void *vault_map_aligned(size_t len_bytes, int flags, bool reserved)
{
	size_t slack = len_bytes + HUGE_BYTES;
	long addr = vault_map(slack, reserved ? PROT_NONE : PROT_READ | PROT_WRITE, flags);
	uintptr_t start = (uintptr_t)addr, aligned = ALIGN_UP(start, HUGE_BYTES);

	if (sys_is_error(addr))
		return NULL;
	if (aligned > start)
		sys(SYS_munmap, start, aligned - start);
	if (start + slack > aligned + len_bytes)
		sys(SYS_munmap, aligned + len_bytes, start + slack - aligned - len_bytes);
	if (!vault_table_add(aligned, aligned + len_bytes, reserved))
		return (void *)aligned;
	sys(SYS_munmap, aligned, len_bytes);
	return NULL;
}
