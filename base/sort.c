// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "base/sort.h"
#include "base/vault.h"

bool pages_ascend(const uintptr_t *pages, uint64_t nr)
{
	for (uint64_t i = 1; i < nr; i++)
		if (pages[i] <= pages[i - 1])
			return false;
	return true;
}

/* A radix sort of 11 bits per pass. It skips passes over bits in which no two pages differ. */
static void pages_radix_sort(const uintptr_t *pages, uint32_t *order, uint32_t *spare, uint64_t nr)
{
	uintptr_t differ = 0;
	uint32_t counts[2048];

	for (uint64_t i = 1; i < nr; i++)
		differ |= pages[i] ^ pages[0];
	for (unsigned int shift = PAGE_SHIFT; shift < 64 && differ >> shift; shift += 11) {
		uint32_t sum = 0;

		if (!(differ >> shift & 2047))
			continue;
		memset(counts, 0, sizeof(counts));
		for (uint64_t i = 0; i < nr; i++)
			counts[pages[order[i]] >> shift & 2047]++;
		for (unsigned int i = 0; i < 2048; i++) {
			uint32_t count = counts[i];

			counts[i] = sum;
			sum += count;
		}
		for (uint64_t i = 0; i < nr; i++)
			spare[counts[pages[order[i]] >> shift & 2047]++] = order[i];
		memcpy(order, spare, nr * sizeof(*order));
	}
}

int pages_order(const uintptr_t *pages, uint64_t nr, uint64_t room, uint32_t **order)
{
	size_t len_bytes = room * sizeof(**order);
	void *mem, *spare;
	int err;

	*order = NULL;
	if (pages_ascend(pages, nr))
		return 0;
	err = vault_alloc(len_bytes, &mem);
	if (err)
		return err;
	err = vault_alloc(len_bytes, &spare);
	if (err) {
		vault_free(mem, len_bytes);
		return err;
	}
	*order = mem;
	for (uint64_t i = 0; i < nr; i++)
		(*order)[i] = (uint32_t)i;
	pages_radix_sort(pages, *order, spare, nr);
	vault_free(spare, len_bytes);
	return 0;
}
