// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cli/area/area.h"
#include "cli/machine/machine.h"

const char *folio_kind_name(enum folio_kind kind)
{
	static const char *const names[] = {
		[FOLIO_4K] = "4k",
		[FOLIO_THP] = "thp",
		[FOLIO_MTHP] = "mthp",
		[FOLIO_GROUP] = "4k-group",
	};

	return names[kind];
}

static void range_touch(char *base, size_t len_bytes, size_t step_bytes)
{
	for (size_t at = 0; at < len_bytes; at += step_bytes)
		*(volatile char *)(base + at) = 1;
}

/*
 * A fault allocates the largest enabled folio that fits. Where a page table exists, 2 MiB does not
 * fit, so the fault allocates the next smaller enabled size. Pages are discarded one by one because
 * discarding 2 MiB at once frees the page table (since Linux 6.14).
 */
static void area_make_page_tables(const struct area *area)
{
	madvise(area->base, area->len_bytes, MADV_NOHUGEPAGE);
	range_touch(area->base, area->len_bytes, HUGE_BYTES);
	for (size_t at = 0; at < area->len_bytes; at += HUGE_BYTES)
		madvise(area->base + at, PAGE_BYTES, MADV_DONTNEED);
}

static bool is_most_of(uint64_t part_bytes, size_t whole_bytes)
{
	return part_bytes >= whole_bytes - whole_bytes / 16;
}

/* Bytes of the area that are mapped by huge pages. */
static uint64_t area_huge_bytes(const struct area *area)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	uint64_t total = 0, start, end, kb;
	bool inside = false;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			inside = start < (uintptr_t)area->base + area->len_bytes &&
				 end > (uintptr_t)area->base;
		else if (inside && sscanf(line, "AnonHugePages: %" SCNu64, &kb) == 1)
			total += kb << 10;
	}
	if (file)
		fclose(file);
	return total;
}

static void area_populate_small(const struct area *area)
{
	madvise(area->base, area->len_bytes, MADV_DONTNEED);
	madvise(area->base, area->len_bytes, MADV_NOHUGEPAGE);
	range_touch(area->base, area->len_bytes, PAGE_BYTES);
}

/* False: the kernel allocated something else. */
static bool area_populate_folios(const struct area *area)
{
	size_t folio = area->folio_bytes;
	uint64_t before = machine_folio_count(folio, "anon_fault_alloc");

	if (!machine_has_folio_size(folio))
		return false;
	if (folio < HUGE_BYTES)
		area_make_page_tables(area);
	madvise(area->base, area->len_bytes, MADV_HUGEPAGE);
	range_touch(area->base, area->len_bytes, PAGE_BYTES);
	/* Keep khugepaged from collapsing them, perhaps on another node. */
	if (folio < HUGE_BYTES)
		madvise(area->base, area->len_bytes, MADV_NOHUGEPAGE);
	if (folio == HUGE_BYTES)
		return is_most_of(area_huge_bytes(area), area->len_bytes);
	return is_most_of((machine_folio_count(folio, "anon_fault_alloc") - before) * folio,
			  area->len_bytes);
}

static void area_populate(struct area *area)
{
	bool single = area->folio_bytes == PAGE_BYTES;

	area->nr_folios_before = machine_folio_count(area->folio_bytes, "nr_anon");
	if (!single && area_populate_folios(area)) {
		area->kind = area->folio_bytes == HUGE_BYTES ? FOLIO_THP : FOLIO_MTHP;
		return;
	}
	area->kind = single ? FOLIO_4K : FOLIO_GROUP;
	area_populate_small(area);
}

static int area_populate_on(struct area *area, int node)
{
	unsigned long old_mask[MAX_NODES / 64] = {0}, mask[MAX_NODES / 64] = {0};
	int old_mode;

	if (node < 0) {
		area_populate(area);
		return 0;
	}
	if (get_mempolicy(&old_mode, old_mask, MAX_NODES, NULL, 0))
		return -errno;
	mask[node / 64] |= 1UL << (node % 64);
	if (set_mempolicy(MPOL_BIND, mask, MAX_NODES))
		return -errno;
	area_populate(area);
	return set_mempolicy(old_mode, old_mode == MPOL_DEFAULT ? NULL : old_mask, MAX_NODES)
		       ? -errno
		       : 0;
}

int area_open(struct area *area, size_t len_bytes, size_t folio_bytes, int node)
{
	int err;

	memset(area, 0, sizeof(*area));
	area->len_bytes = ALIGN_UP(len_bytes, HUGE_BYTES);
	area->folio_bytes = folio_bytes;
	area->mapping_bytes = area->len_bytes + HUGE_BYTES;
	area->mapping = mmap(NULL, area->mapping_bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area->mapping == MAP_FAILED) {
		err = -errno;
		memset(area, 0, sizeof(*area));
		return err;
	}
	area->base = (char *)ALIGN_UP((uintptr_t)area->mapping, HUGE_BYTES);
	err = area_populate_on(area, node);
	if (err)
		area_close(area);
	return err;
}

void area_close(struct area *area)
{
	if (area->mapping)
		munmap(area->mapping, area->mapping_bytes);
	memset(area, 0, sizeof(*area));
}

size_t area_step_bytes(const struct area *area)
{
	return area->kind == FOLIO_GROUP ? PAGE_BYTES : area->folio_bytes;
}

bool area_is_split(const struct area *area)
{
	uint64_t nr = machine_folio_count(area->folio_bytes, "nr_anon") - area->nr_folios_before;

	/* Other processes may have freed folios of this size: the difference is signed. */
	return area->kind == FOLIO_MTHP &&
	       (int64_t)(nr * area->folio_bytes) < (int64_t)(area->len_bytes / 2);
}
