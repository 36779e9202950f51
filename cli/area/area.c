// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cli/area/area.h"
#include "cli/common/common.h"
#include "cli/machine/sysfs.h"

#define THP_DIR "/sys/kernel/mm/transparent_hugepage"

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

static void touch(char *base, size_t len_bytes, size_t step_bytes)
{
	for (size_t at = 0; at < len_bytes; at += step_bytes)
		*(volatile char *)(base + at) = 1;
}

/* Whether madvise(MADV_HUGEPAGE) can get folios of this size. */
static bool size_enabled(size_t folio_bytes)
{
	char line[64], word[16], global[16];

	sysfs_line(line, sizeof(line), THP_DIR "/enabled");
	sysfs_choice(line, global, sizeof(global));
	if (sysfs_line(line, sizeof(line), THP_DIR "/hugepages-%zukB/enabled", folio_bytes >> 10)) {
		/* Before 6.8 there is the one size only. */
		return folio_bytes == HUGE_BYTES && *global && strcmp(global, "never");
	}
	sysfs_choice(line, word, sizeof(word));
	if (!strcmp(word, "inherit"))
		return strcmp(global, "never");
	return *word && strcmp(word, "never");
}

static uint64_t count_of(size_t folio_bytes, const char *what)
{
	uint64_t nr = 0;

	sysfs_number(&nr, THP_DIR "/hugepages-%zukB/stats/%s", folio_bytes >> 10, what);
	return nr;
}

static uint64_t folios_given(size_t folio_bytes)
{
	return count_of(folio_bytes, "anon_fault_alloc");
}

/*
 * A fault takes the largest folio that fits. With a page table in place 2 MiB does not fit any
 * more, so that the next smaller enabled size is what comes. To discard 2 MiB at once would free
 * the page table (Linux 6.14).
 */
static void make_page_tables(const struct area *area)
{
	madvise(area->base, area->len_bytes, MADV_NOHUGEPAGE);
	touch(area->base, area->len_bytes, HUGE_BYTES);
	for (size_t at = 0; at < area->len_bytes; at += HUGE_BYTES)
		madvise(area->base + at, PAGE_BYTES, MADV_DONTNEED);
}

static bool mostly(uint64_t part_bytes, size_t whole_bytes)
{
	return part_bytes >= whole_bytes - whole_bytes / 16;
}

/* Bytes of the area that the kernel maps huge. */
static uint64_t huge_bytes(const struct area *area)
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

static void populate_small(const struct area *area)
{
	madvise(area->base, area->len_bytes, MADV_DONTNEED);
	madvise(area->base, area->len_bytes, MADV_NOHUGEPAGE);
	touch(area->base, area->len_bytes, PAGE_BYTES);
}

/* False: the kernel gave something else. */
static bool populate_folios(const struct area *area)
{
	size_t folio = area->folio_bytes;
	uint64_t before = folios_given(folio);

	if (!size_enabled(folio))
		return false;
	if (folio < HUGE_BYTES)
		make_page_tables(area);
	madvise(area->base, area->len_bytes, MADV_HUGEPAGE);
	touch(area->base, area->len_bytes, PAGE_BYTES);
	/* khugepaged would make other folios of them, perhaps on another node. */
	if (folio < HUGE_BYTES)
		madvise(area->base, area->len_bytes, MADV_NOHUGEPAGE);
	if (folio == HUGE_BYTES)
		return mostly(huge_bytes(area), area->len_bytes);
	return mostly((folios_given(folio) - before) * folio, area->len_bytes);
}

static void populate(struct area *area)
{
	bool single = area->folio_bytes == PAGE_BYTES;

	area->nr_folios_elsewhere = count_of(area->folio_bytes, "nr_anon");
	if (!single && populate_folios(area)) {
		area->kind = area->folio_bytes == HUGE_BYTES ? FOLIO_THP : FOLIO_MTHP;
		return;
	}
	area->kind = single ? FOLIO_4K : FOLIO_GROUP;
	populate_small(area);
}

static int populate_on(struct area *area, int node)
{
	unsigned long old_mask[MAX_NODES / 64] = {0}, mask[MAX_NODES / 64] = {0};
	int old_mode;

	if (node < 0) {
		populate(area);
		return 0;
	}
	if (get_mempolicy(&old_mode, old_mask, MAX_NODES, NULL, 0))
		return -errno;
	mask[node / 64] |= 1UL << (node % 64);
	if (set_mempolicy(MPOL_BIND, mask, MAX_NODES))
		return -errno;
	populate(area);
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
	err = populate_on(area, node);
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

bool area_came_apart(const struct area *area)
{
	uint64_t nr = count_of(area->folio_bytes, "nr_anon") - area->nr_folios_elsewhere;

	/* Others may have freed some of theirs meanwhile. */
	return area->kind == FOLIO_MTHP &&
	       (int64_t)(nr * area->folio_bytes) < (int64_t)(area->len_bytes / 2);
}

void area_fill(const struct area *area, uint64_t seed)
{
	uint64_t *words = (uint64_t *)area->base;

	for (size_t i = 0; i < area->len_bytes / sizeof(*words); i++)
		words[i] = area_word(seed, i);
}

bool area_check(const struct area *area, uint64_t seed, struct mismatch *bad)
{
	const uint64_t *words = (const uint64_t *)area->base;
	const size_t per_page = PAGE_BYTES / sizeof(*words);

	for (size_t page = 0; page < area->len_bytes / PAGE_BYTES; page++) {
		size_t first = page * per_page;
		uint64_t wrong = 0;

		for (size_t i = first; i < first + per_page; i++)
			wrong |= words[i] ^ area_word(seed, i);
		for (size_t i = first; wrong && i < first + per_page; i++) {
			bad->addr = &words[i];
			bad->expected = area_word(seed, i);
			bad->found = words[i];
			if (bad->found != bad->expected)
				return false;
		}
	}
	return true;
}

void mismatch_report(const char *what, const struct mismatch *bad)
{
	cli_error("%s: at %p: expected 0x%016" PRIx64 ", found 0x%016" PRIx64, what,
		  (const void *)bad->addr, bad->expected, bad->found);
}

/* splitmix64 */
uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

uint32_t *shuffled(uint32_t nr, uint64_t seed)
{
	uint32_t *order = cli_alloc(nr, sizeof(*order));

	for (uint32_t i = 0; i < nr; i++)
		order[i] = i;
	for (uint32_t i = nr; i > 1; i--) {
		uint32_t j = (uint32_t)(random_next(&seed) % i);
		uint32_t swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
	return order;
}
