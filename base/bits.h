/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bitmaps with one bit per 4 KiB page of 2 MiB. */
#ifndef FERRY_BITS_H
#define FERRY_BITS_H

#include <string.h>

#include "base/base.h"

#define PAGE_MAP_WORDS (PAGES_PER_HUGE / 64)

struct page_map {
	uint64_t word[PAGE_MAP_WORDS];
};

static inline bool map_test(const struct page_map *map, unsigned int bit)
{
	return map->word[bit / 64] >> (bit % 64) & 1;
}

static inline void map_set(struct page_map *map, unsigned int bit)
{
	map->word[bit / 64] |= 1ULL << (bit % 64);
}

static inline void map_set_range(struct page_map *map, unsigned int first, unsigned int nr)
{
	for (unsigned int bit = first; bit < first + nr;) {
		unsigned int in_word = MIN(64 - bit % 64, first + nr - bit);
		uint64_t ones = in_word == 64 ? ~0ULL : (1ULL << in_word) - 1;

		map->word[bit / 64] |= ones << (bit % 64);
		bit += in_word;
	}
}

static inline void map_clear_range(struct page_map *map, unsigned int first, unsigned int nr)
{
	for (unsigned int bit = first; bit < first + nr;) {
		unsigned int in_word = MIN(64 - bit % 64, first + nr - bit);
		uint64_t ones = in_word == 64 ? ~0ULL : (1ULL << in_word) - 1;

		map->word[bit / 64] &= ~(ones << (bit % 64));
		bit += in_word;
	}
}

static inline unsigned int map_count(const struct page_map *map)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < PAGE_MAP_WORDS; i++)
		nr += (unsigned int)__builtin_popcountll(map->word[i]);
	return nr;
}

/* The first bit in [from, limit) that is set (or clear); limit if there is none. */
static inline unsigned int map_next(const struct page_map *map, unsigned int from,
				    unsigned int limit, bool set)
{
	while (from < limit) {
		uint64_t word = map->word[from / 64];

		word = (set ? word : ~word) >> (from % 64);
		if (word)
			return MIN(from + (unsigned int)__builtin_ctzll(word), limit);
		from = ALIGN_DOWN(from, 64U) + 64;
	}
	return limit;
}

/* The start of the first run of at least nr set bits; -1 if there is none. */
static inline int map_find_run(const struct page_map *map, unsigned int nr)
{
	unsigned int at = 0;

	while (at < PAGES_PER_HUGE) {
		unsigned int start = map_next(map, at, PAGES_PER_HUGE, true);
		unsigned int end = map_next(map, start, PAGES_PER_HUGE, false);

		if (end - start >= nr)
			return (int)start;
		at = end;
	}
	return -1;
}

#endif
