// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the IOMMU would answer for an address, without touching the page: mincore(2) tells whether
 * it is mapped and present, MADV_POPULATE_WRITE whether it is writable.
 */
#include <sys/mman.h>

#include "base/sys.h"
#include "models/dsa/internal.h"

#define POPULATE_READ  22
#define POPULATE_WRITE 23

#define VEC_PAGES 512

static bool pages_populate(uint64_t page, uint64_t len_bytes, int advice)
{
	return sys(SYS_madvise, page, len_bytes, advice) == 0;
}

/* The address of the first page that is not accessible; 0 if all are. */
static uint64_t pages_first_bad(uint64_t page, uint64_t end, bool write)
{
	unsigned char present;

	for (; page < end; page += PAGE_BYTES) {
		if (sys(SYS_mincore, page, PAGE_BYTES, &present) || !(present & 1))
			return page;
		if (write && !pages_populate(page, PAGE_BYTES, POPULATE_WRITE))
			return page;
	}
	return 0;
}

static bool pages_all_present(uint64_t page, uint64_t end)
{
	unsigned char vec[VEC_PAGES];

	while (page < end) {
		uint64_t nr_pages = MIN((end - page) / PAGE_BYTES, (uint64_t)VEC_PAGES);

		if (sys(SYS_mincore, page, nr_pages * PAGE_BYTES, vec))
			return false;
		for (uint64_t i = 0; i < nr_pages; i++)
			if (!(vec[i] & 1))
				return false;
		page += nr_pages * PAGE_BYTES;
	}
	return true;
}

static bool range_is_accessible(const struct dsa_model *model, uint64_t addr, uint64_t len_bytes,
				bool fault_in, bool write, uint64_t *bad)
{
	uint64_t page = ALIGN_DOWN(addr, PAGE_BYTES);
	uint64_t end = ALIGN_UP(addr + len_bytes, PAGE_BYTES);

	if (!model->config.check_memory)
		return true;
	*bad = addr;
	if (end < page)
		return false;
	if (fault_in && pages_populate(page, end - page, write ? POPULATE_WRITE : POPULATE_READ))
		return true;
	if (pages_all_present(page, end) &&
	    (!write || pages_populate(page, end - page, POPULATE_WRITE)))
		return true;
	*bad = MAX(pages_first_bad(page, end, write), addr);
	return false;
}

bool dsa_memory_readable(const struct dsa_model *model, uint64_t addr, uint64_t len_bytes,
			 bool fault_in, uint64_t *bad)
{
	return range_is_accessible(model, addr, len_bytes, fault_in, false, bad);
}

bool dsa_memory_writable(const struct dsa_model *model, uint64_t addr, uint64_t len_bytes,
			 bool fault_in, uint64_t *bad)
{
	return range_is_accessible(model, addr, len_bytes, fault_in, true, bad);
}

uint64_t dsa_memory_hash(uint64_t seed, uint64_t addr, uint64_t len_bytes)
{
	const uint8_t *p = (const uint8_t *)(uintptr_t)addr;
	uint64_t hash = seed ^ len_bytes;
	uint64_t word;

	for (; len_bytes >= 8; len_bytes -= 8, p += 8) {
		__builtin_memcpy(&word, p, 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
	}
	for (; len_bytes; len_bytes--, p++)
		hash = (hash ^ *p) * 0x100000001b3ULL;
	return hash;
}
