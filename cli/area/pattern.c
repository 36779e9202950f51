// SPDX-License-Identifier: LGPL-2.1-or-later
/* The pattern in an area, and random numbers. */
#include <inttypes.h>

#include "cli/area/area.h"
#include "cli/common/common.h"

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

uint32_t *random_order(uint32_t nr, uint64_t seed)
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
