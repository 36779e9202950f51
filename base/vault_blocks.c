// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A region begins with its header; the pages behind it are handed out in runs. Blocks of up to half
 * a page share pages: such a page has blocks of one class, and the free ones form a list.
 */
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "base/sys.h"
#include "base/vault_blocks.h"
#include "base/vault_table.h"

#define MIN_CLASS_SHIFT 6  /* 64 bytes */
#define MAX_CLASS_SHIFT 11 /* half a page */
#define NR_CLASSES      (MAX_CLASS_SHIFT - MIN_CLASS_SHIFT + 1)
#define NO_BLOCK        UINT16_MAX

/* A page that is cut into blocks. */
struct block_page {
	struct block_page *next, *prev; /* of its class, if it has a free block */
	uint16_t nr_used;
	uint16_t first_free; /* the number of a block; its first bytes have the next number */
};

struct region {
	struct region *next, *prev;
	unsigned int generation; /* as in blocks, or it is a forked parent's */
	unsigned int nr_free;
	struct page_map free;
	struct block_page pages[PAGES_PER_HUGE];
};

#define HEADER_PAGES (DIV_ROUND_UP(sizeof(struct region), PAGE_BYTES))
#define REGION_PAGES (PAGES_PER_HUGE - HEADER_PAGES)

static struct {
	struct region *regions;
	unsigned int generation;
	unsigned int nr_empty; /* regions without a page handed out */
	struct block_page *partial[NR_CLASSES];
} blocks __never_in_flight;

/* ---- regions and runs of pages ---- */

static struct region *region_new(void)
{
	struct region *region = vault_map_aligned(HUGE_BYTES, 0, false);

	if (!region)
		return NULL;
	/* A page gets its memory when it is handed out. */
	sys(SYS_madvise, region, HUGE_BYTES, MADV_NOHUGEPAGE);
	region->generation = blocks.generation;
	region->nr_free = REGION_PAGES;
	map_set_range(&region->free, HEADER_PAGES, REGION_PAGES);
	region->next = blocks.regions;
	if (region->next)
		region->next->prev = region;
	blocks.regions = region;
	blocks.nr_empty++;
	return region;
}

/* Keeps one empty region, so that a few jobs do not map and unmap one again and again. */
static void region_note_empty(struct region *region)
{
	if (!blocks.nr_empty) {
		blocks.nr_empty = 1;
		return;
	}
	*(region->prev ? &region->prev->next : &blocks.regions) = region->next;
	if (region->next)
		region->next->prev = region->prev;
	vault_table_remove((uintptr_t)region);
	sys(SYS_munmap, region, HUGE_BYTES);
}

static char *region_take(struct region *region, unsigned int nr_pages)
{
	int first = region->nr_free < nr_pages ? -1 : map_find_run(&region->free, nr_pages);

	if (first < 0)
		return NULL;
	blocks.nr_empty -= region->nr_free == REGION_PAGES;
	map_clear_range(&region->free, (unsigned int)first, nr_pages);
	region->nr_free -= nr_pages;
	return (char *)region + (size_t)first * PAGE_BYTES;
}

static char *pages_get(unsigned int nr_pages)
{
	struct region *region;
	char *pages;

	for (region = blocks.regions; region; region = region->next) {
		pages = region_take(region, nr_pages);
		if (pages)
			return pages;
	}
	region = region_new();
	return region ? region_take(region, nr_pages) : NULL;
}

static struct region *region_of(const void *addr)
{
	return (struct region *)ALIGN_DOWN((uintptr_t)addr, HUGE_BYTES);
}

static unsigned int page_index(const void *addr)
{
	return (unsigned int)(((uintptr_t)addr & (HUGE_BYTES - 1)) / PAGE_BYTES);
}

static void pages_put(void *addr, unsigned int nr_pages)
{
	struct region *region = region_of(addr);

	map_set_range(&region->free, page_index(addr), nr_pages);
	region->nr_free += nr_pages;
	if (region->nr_free == REGION_PAGES)
		region_note_empty(region);
}

/* ---- blocks that share a page ---- */

static void partial_add(unsigned int class, struct block_page *page)
{
	page->prev = NULL;
	page->next = blocks.partial[class];
	if (page->next)
		page->next->prev = page;
	blocks.partial[class] = page;
}

static void partial_remove(unsigned int class, struct block_page *page)
{
	*(page->prev ? &page->prev->next : &blocks.partial[class]) = page->next;
	if (page->next)
		page->next->prev = page->prev;
}

static char *block_page_start(const struct block_page *page)
{
	struct region *region = region_of(page);

	return (char *)region + (size_t)(page - region->pages) * PAGE_BYTES;
}

static struct block_page *block_page_new(unsigned int class)
{
	unsigned int shift = class + MIN_CLASS_SHIFT;
	unsigned int nr = (unsigned int)(PAGE_BYTES >> shift);
	char *start = pages_get(1);
	struct block_page *page;

	if (!start)
		return NULL;
	page = &region_of(start)->pages[page_index(start)];
	page->nr_used = 0;
	page->first_free = 0;
	for (unsigned int i = 0; i < nr; i++)
		*(uint16_t *)(start + ((size_t)i << shift)) =
			i + 1 < nr ? (uint16_t)(i + 1) : NO_BLOCK;
	partial_add(class, page);
	return page;
}

static void *block_get(unsigned int class)
{
	struct block_page *page = blocks.partial[class];
	char *block;

	if (!page)
		page = block_page_new(class);
	if (!page)
		return NULL;
	block = block_page_start(page) + ((size_t)page->first_free << (class + MIN_CLASS_SHIFT));
	page->first_free = *(uint16_t *)block;
	page->nr_used++;
	if (page->first_free == NO_BLOCK)
		partial_remove(class, page);
	return block;
}

static void block_put(char *block, unsigned int class)
{
	struct block_page *page = &region_of(block)->pages[page_index(block)];
	char *start = block_page_start(page);

	if (page->first_free == NO_BLOCK)
		partial_add(class, page);
	*(uint16_t *)block = page->first_free;
	page->first_free = (uint16_t)((size_t)(block - start) >> (class + MIN_CLASS_SHIFT));
	if (--page->nr_used)
		return;
	partial_remove(class, page);
	pages_put(start, 1);
}

/* ---- the interface ---- */

/* NR_CLASSES: whole pages. */
static unsigned int block_class(size_t len_bytes)
{
	unsigned int class = 0;

	while (class < NR_CLASSES && len_bytes > 1UL << (class + MIN_CLASS_SHIFT))
		class ++;
	return class;
}

void *vault_block_get(size_t len_bytes)
{
	unsigned int class = block_class(len_bytes);

	return class < NR_CLASSES ? block_get(class)
				  : pages_get((unsigned int)DIV_ROUND_UP(len_bytes, PAGE_BYTES));
}

void vault_block_put(void *block, size_t len_bytes)
{
	unsigned int class = block_class(len_bytes);

	if (region_of(block)->generation != blocks.generation)
		return;
	if (class < NR_CLASSES)
		block_put(block, class);
	else
		pages_put(block, (unsigned int)DIV_ROUND_UP(len_bytes, PAGE_BYTES));
}

void vault_blocks_forget(void)
{
	unsigned int generation = blocks.generation + 1;

	memset(&blocks, 0, sizeof(blocks));
	blocks.generation = generation;
}
