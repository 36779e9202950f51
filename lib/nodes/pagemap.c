// SPDX-License-Identifier: LGPL-2.1-or-later
/* Looks at pages by PAGEMAP_SCAN and by the entries of /proc/PID/pagemap. */
#include <errno.h>
#include <string.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "lib/nodes/kernel_file.h"
#include "lib/nodes/pagemap.h"

static struct kernel_file pagemap_file = {.fd = -1, .own = {.fd = -1}};

int pagemap_open(void)
{
	return kernel_file_keep_open(&pagemap_file, "/proc/self/pagemap");
}

void pagemap_forget(void)
{
	kernel_file_close(&pagemap_file);
}

int pagemap_own(void)
{
	return atomic_load(&pagemap_file.fd);
}

/*
 * PAGE_IS_FILE is left out: the kernel takes long to find out, and no page of an anonymous mapping
 * is a file's.
 */
#define SCAN_CATEGORIES (PAGE_IS_PRESENT | PAGE_IS_SWAPPED | PAGE_IS_PFNZERO | PAGE_IS_HUGE)
#define SCAN_REGIONS    64

static long pagemap_scan(int fd, uintptr_t start, uintptr_t end, struct page_region *regions,
			 unsigned int nr_regions, uint64_t *walk_end)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = end,
		.vec = (uintptr_t)regions,
		.vec_len = nr_regions,
		/* Reports pages that are present or swapped out, and no holes. */
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = SCAN_CATEGORIES,
	};
	long nr = sys(SYS_ioctl, fd, PAGEMAP_SCAN, &arg);

	*walk_end = arg.walk_end;
	return nr;
}

static void page_kinds_add(const struct page_region *region, uintptr_t addr, struct page_kinds *out)
{
	unsigned int first = (unsigned int)((region->start - addr) >> PAGE_SHIFT);
	unsigned int nr = (unsigned int)((region->end - region->start) >> PAGE_SHIFT);
	uint64_t is = region->categories;

	map_clear_range(&out->absent, first, nr);
	if (!(is & PAGE_IS_PRESENT) || is & PAGE_IS_PFNZERO)
		return;
	out->huge = is & PAGE_IS_HUGE && nr == PAGES_PER_HUGE;
	/* To move a part of a huge page would split it. */
	if (!(is & PAGE_IS_HUGE) || out->huge)
		map_set_range(&out->movable, first, nr);
}

int pagemap_kinds(uintptr_t addr, unsigned int nr_pages, struct page_kinds *out)
{
	struct page_region regions[SCAN_REGIONS];
	uint64_t at = addr;
	uint64_t end = addr + (uint64_t)nr_pages * PAGE_BYTES;

	memset(out, 0, sizeof(*out));
	map_set_range(&out->absent, 0, nr_pages);
	while (at < end) {
		uint64_t walk_end;
		long nr = pagemap_scan(pagemap_own(), at, end, regions, SCAN_REGIONS, &walk_end);

		if (nr < 0)
			return (int)nr;
		for (long i = 0; i < nr; i++)
			page_kinds_add(&regions[i], addr, out);
		if (walk_end <= at)
			break;
		at = walk_end;
	}
	return 0;
}

static enum page_look region_look(const struct page_region *region)
{
	if (!(region->categories & PAGE_IS_PRESENT))
		return PAGE_LOOKS_SMALL;
	if (region->categories & PAGE_IS_PFNZERO)
		return PAGE_LOOKS_ZERO;
	return region->categories & PAGE_IS_HUGE ? PAGE_LOOKS_HUGE : PAGE_LOOKS_SMALL;
}

/* Each page of a huge mapping is reported as huge, so one page is enough and costs little. */
static long pagemap_scan_page(int fd, uintptr_t addr, struct page_region *region)
{
	uint64_t walk_end;

	*region = (struct page_region){0};
	return pagemap_scan(fd, addr, addr + PAGE_BYTES, region, 1, &walk_end);
}

enum page_look pagemap_look(uintptr_t addr)
{
	struct page_region region;

	return pagemap_scan_page(pagemap_own(), addr, &region) == 1 ? region_look(&region)
								    : PAGE_LOOKS_SMALL;
}

bool pagemap_is_huge(uintptr_t addr)
{
	return pagemap_look(addr) == PAGE_LOOKS_HUGE;
}

int pagemap_open_of(int pid, struct own_fd *out)
{
	return kernel_file_open_of(pid, "pagemap", out);
}

int pagemap_entries_of(int fd, uintptr_t addr, unsigned int nr_pages, uint64_t *out)
{
	size_t len_bytes = nr_pages * sizeof(*out);
	long len = sys(SYS_pread64, fd, out, len_bytes, (addr >> PAGE_SHIFT) * sizeof(*out));

	if (len < 0)
		return (int)len;
	return len == (long)len_bytes ? 0 : -EIO;
}

/* True if the 2 MiB around addr have consecutive frames, as a huge page has. */
static bool pagemap_has_row(int fd, uintptr_t addr)
{
	uint64_t entries[PAGES_PER_HUGE], first;

	if (pagemap_entries_of(fd, ALIGN_DOWN(addr, HUGE_BYTES), PAGES_PER_HUGE, entries))
		return false;
	first = pagemap_frame(entries[0]);
	if (!first || first % PAGES_PER_HUGE)
		return false;
	for (unsigned int i = 1; i < PAGES_PER_HUGE; i++)
		if (pagemap_frame(entries[i]) != first + i)
			return false;
	return true;
}

bool pagemap_seems_huge_of(int fd, uintptr_t addr)
{
	struct page_region region;
	long nr = pagemap_scan_page(fd, addr, &region);

	/* Without PAGEMAP_SCAN. */
	if (nr == -ENOTTY)
		return pagemap_has_row(fd, addr);
	return nr == 1 && region_look(&region) == PAGE_LOOKS_HUGE;
}

bool pagemap_seems_huge_in(int pid, uintptr_t addr)
{
	struct own_fd file;
	bool seems = !pagemap_open_of(pid, &file) && pagemap_seems_huge_of(file.fd, addr);

	own_fd_drop(&file);
	return seems;
}

int pagemap_entries(uintptr_t addr, unsigned int nr_pages, uint64_t *out)
{
	return pagemap_entries_of(pagemap_own(), addr, nr_pages, out);
}
