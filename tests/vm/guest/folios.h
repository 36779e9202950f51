/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Creates memory of folios of chosen sizes, and checks which folios it consists of. Needs root. */
#ifndef FERRY_TEST_FOLIOS_H
#define FERRY_TEST_FOLIOS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "tests/testlib/moving.h"

#define THP_DIR        "/sys/kernel/mm/transparent_hugepage/"
#define NR_FOLIO_SIZES 3

static const size_t folio_sizes[NR_FOLIO_SIZES] = {16 << 10, 64 << 10, 1 << 20};

static inline size_t kib(size_t bytes)
{
	return bytes >> 10;
}

static inline bool put_word(const char *path, const char *word)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, word, strlen(word)) == (ssize_t)strlen(word);

	if (fd >= 0)
		close(fd);
	return done;
}

static inline bool allow_folios(size_t bytes, bool allow)
{
	char path[128];

	snprintf(path, sizeof(path), THP_DIR "hugepages-%zukB/enabled", bytes >> 10);
	return put_word(path, allow ? "madvise" : "never");
}

/* Makes page faults allocate single pages. False if the kernel has no folios of these sizes. */
static inline bool allow_no_folios(void)
{
	bool known = allow_folios(HUGE_BYTES, false);

	for (unsigned int i = 0; i < NR_FOLIO_SIZES; i++)
		known &= allow_folios(folio_sizes[i], false);
	return known;
}

/* ---- tiles ---- */

/* What a tile of 2 MiB consists of. */
enum tile {
	TILE_FOLIOS, /* of the size under test */
	TILE_SMALL,
	TILE_HUGE,
	TILE_MIXED, /* in turn: such a folio, single pages and a hole of the same size */
	NR_TILES,
};

#define SCENE_BYTES (NR_TILES * HUGE_BYTES)
#define SCENE_PAGES (SCENE_BYTES / PAGE_BYTES)

/* 0 to 2: folio, single pages, hole of TILE_MIXED; 0 in any other tile. */
static inline unsigned int part_at(size_t offset, size_t folio_bytes)
{
	return offset / HUGE_BYTES == TILE_MIXED ? (offset / folio_bytes) % 3 : 0;
}

static inline enum tile kind_at(size_t offset, size_t folio_bytes)
{
	enum tile tile = offset / HUGE_BYTES;

	if (tile != TILE_MIXED)
		return tile;
	return part_at(offset, folio_bytes) ? TILE_SMALL : TILE_FOLIOS;
}

static inline bool is_hole(size_t offset, size_t folio_bytes)
{
	return part_at(offset, folio_bytes) == 2;
}

static inline void touch_kind(char *base, enum tile kind, size_t folio_bytes)
{
	for (size_t at = 0; at < SCENE_BYTES; at += PAGE_BYTES)
		if (kind_at(at, folio_bytes) == kind && !is_hole(at, folio_bytes))
			*(volatile char *)(base + at) = 1;
}

/*
 * Fills SCENE_BYTES at base, which is aligned to 2 MiB and untouched, with tiles of all kinds, by
 * changing the allowed folio sizes between page faults. In the end it is one mapping with
 * MADV_NOHUGEPAGE, in which khugepaged does not create other folios.
 */
static inline void make_tiles(char *base, size_t folio_bytes)
{
	madvise(base, SCENE_BYTES, MADV_HUGEPAGE);
	allow_no_folios();
	touch_kind(base, TILE_SMALL, folio_bytes);
	allow_folios(folio_bytes, true);
	touch_kind(base, TILE_FOLIOS, folio_bytes);
	madvise(base, TILE_HUGE * HUGE_BYTES, MADV_NOHUGEPAGE);
	madvise(base + TILE_MIXED * HUGE_BYTES, HUGE_BYTES, MADV_NOHUGEPAGE);
	/* Both sizes stay allowed: the library must look for folios, and needs huge frames. */
	allow_folios(HUGE_BYTES, true);
	touch_kind(base, TILE_HUGE, folio_bytes);
	madvise(base, SCENE_BYTES, MADV_NOHUGEPAGE);
}

static inline size_t nr_pages_of(enum tile kind, size_t folio_bytes)
{
	size_t nr = 0;

	for (size_t at = 0; at < SCENE_BYTES; at += PAGE_BYTES)
		nr += kind_at(at, folio_bytes) == kind && !is_hole(at, folio_bytes);
	return nr;
}

/* Gives each page content of its own. The last word of a page is left to the writer. */
static inline void fill_tiles(char *base, size_t folio_bytes)
{
	for (size_t at = 0; at < SCENE_BYTES; at += PAGE_BYTES)
		if (!is_hole(at, folio_bytes))
			fill(base + at, PAGE_BYTES - sizeof(uint64_t), at);
}

static inline bool tiles_intact(const char *base, size_t folio_bytes)
{
	for (size_t at = 0; at < SCENE_BYTES; at += PAGE_BYTES)
		if (!is_hole(at, folio_bytes) &&
		    !is_intact(base + at, PAGE_BYTES - sizeof(uint64_t), at))
			return false;
	return true;
}

/* ---- which folios there are ---- */

/* Opened before privileges are dropped: the opener's privileges decide what the files show. */
struct folio_files {
	int pagemap, flags;
};

static inline bool folio_files_open(struct folio_files *files)
{
	files->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	files->flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	return files->pagemap >= 0 && files->flags >= 0;
}

static inline void folio_files_close(const struct folio_files *files)
{
	close(files->pagemap);
	close(files->flags);
}

static inline uint64_t number_at(int fd, uint64_t index)
{
	uint64_t number = 0;

	if (pread(fd, &number, sizeof(number), (off_t)(index * sizeof(number))) != sizeof(number))
		return 0;
	return number;
}

/* 0: a hole. */
static inline uint64_t frame_at(const struct folio_files *files, const char *addr)
{
	uint64_t entry = number_at(files->pagemap, (uintptr_t)addr / PAGE_BYTES);

	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

/* Counts folios of exactly this size that are mapped whole and in order, at any address. */
static inline unsigned int nr_whole_folios(const struct folio_files *files, const char *base,
					   size_t len, size_t folio_bytes)
{
	unsigned int nr = 0;

	for (size_t at = 0; at + folio_bytes <= len; at += PAGE_BYTES) {
		uint64_t head = frame_at(files, base + at), i = 1;

		if (!head || !(number_at(files->flags, head) >> KPF_COMPOUND_HEAD & 1))
			continue;
		while (at + i * PAGE_BYTES < len &&
		       frame_at(files, base + at + i * PAGE_BYTES) == head + i &&
		       number_at(files->flags, head + i) >> KPF_COMPOUND_TAIL & 1)
			i++;
		nr += i == folio_bytes / PAGE_BYTES;
		at += (i - 1) * PAGE_BYTES;
	}
	return nr;
}

/* True if all folios that make_tiles() created are whole. */
static inline bool all_folios_whole(const struct folio_files *files, const char *base,
				    size_t folio_bytes)
{
	unsigned int nr = nr_whole_folios(files, base, SCENE_BYTES, folio_bytes);
	unsigned int nr_huge = nr_whole_folios(files, base, SCENE_BYTES, HUGE_BYTES);
	size_t wanted = nr_pages_of(TILE_FOLIOS, folio_bytes) * PAGE_BYTES / folio_bytes;

	if (nr == wanted && nr_huge == 1)
		return true;
	printf("# %u of %zu folios of %zu KiB and %u of 1 huge page are whole\n", nr, wanted,
	       folio_bytes >> 10, nr_huge);
	return false;
}

#endif
