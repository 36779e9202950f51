// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the IOMMU would say of an address. The kernel is asked without touching the page: mincore
 * knows what is mapped and present, populating for write tells whether it may be written.
 */
#include <sys/mman.h>

#include "base/sys.h"
#include "models/dsa/internal.h"

#define POPULATE_READ  22
#define POPULATE_WRITE 23

#define VEC_PAGES 512

static bool populate(uint64_t page, uint64_t len_bytes, int advice)
{
	return sys(SYS_madvise, page, len_bytes, advice) == 0;
}

/* Page by page, for the address of the first bad one. */
static uint64_t first_bad(uint64_t page, uint64_t end, bool write)
{
	unsigned char present;

	for (; page < end; page += PAGE_BYTES) {
		if (sys(SYS_mincore, page, PAGE_BYTES, &present) || !(present & 1))
			return page;
		if (write && !populate(page, PAGE_BYTES, POPULATE_WRITE))
			return page;
	}
	return 0;
}

static bool all_present(uint64_t page, uint64_t end)
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

static bool reachable(const struct dsa_model *model, uint64_t addr, uint64_t len_bytes,
		      bool fault_in, bool write, uint64_t *bad)
{
	uint64_t page = ALIGN_DOWN(addr, PAGE_BYTES);
	uint64_t end = ALIGN_UP(addr + len_bytes, PAGE_BYTES);

	if (!model->config.check_memory)
		return true;
	*bad = addr;
	if (end < page)
		return false;
	if (fault_in && populate(page, end - page, write ? POPULATE_WRITE : POPULATE_READ))
		return true;
	if (all_present(page, end) && (!write || populate(page, end - page, POPULATE_WRITE)))
		return true;
	*bad = MAX(first_bad(page, end, write), addr);
	return false;
}

bool dsa_memory_readable(const struct dsa_model *model, uint64_t addr, uint64_t len_bytes,
			 bool fault_in, uint64_t *bad)
{
	return reachable(model, addr, len_bytes, fault_in, false, bad);
}

bool dsa_memory_writable(const struct dsa_model *model, uint64_t addr, uint64_t len_bytes,
			 bool fault_in, uint64_t *bad)
{
	return reachable(model, addr, len_bytes, fault_in, true, bad);
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
