// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "lib/nodes/pagemap.h"
#include "base/uapi.h"

static atomic_int pagemap_fd = -1;
static atomic_int maps_fd = -1;

static int open_once(atomic_int *fd, const char *path)
{
	int none = -1;
	long opened;

	if (atomic_load(fd) >= 0)
		return 0;
	opened = sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (opened < 0)
		return (int)opened;
	if (!atomic_compare_exchange_strong(fd, &none, (int)opened))
		sys(SYS_close, opened);
	return 0;
}

int pagemap_open(void)
{
	int err = open_once(&pagemap_fd, "/proc/self/pagemap");

	return err ? err : open_once(&maps_fd, "/proc/self/maps");
}

void pagemap_forget(void)
{
	int fd = atomic_exchange(&pagemap_fd, -1);

	if (fd >= 0)
		sys(SYS_close, fd);
	fd = atomic_exchange(&maps_fd, -1);
	if (fd >= 0)
		sys(SYS_close, fd);
}

int pagemap_own(void)
{
	return atomic_load(&pagemap_fd);
}

/* Whether a page is a file's takes long to find out, and in anonymous mappings none is. */
#define SCAN_CATEGORIES (PAGE_IS_PRESENT | PAGE_IS_SWAPPED | PAGE_IS_PFNZERO | PAGE_IS_HUGE)
#define SCAN_REGIONS    64

static long scan(int fd, uintptr_t start, uintptr_t end, struct page_region *regions,
		 unsigned int nr_regions, uint64_t *walk_end)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = end,
		.vec = (uintptr_t)regions,
		.vec_len = nr_regions,
		/* Anything that is there in any form; plain holes are not reported. */
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = SCAN_CATEGORIES,
	};
	long nr = sys(SYS_ioctl, fd, PAGEMAP_SCAN, &arg);

	*walk_end = arg.walk_end;
	return nr;
}

static void note_region(const struct page_region *region, uintptr_t addr, struct page_kinds *out)
{
	unsigned int first = (unsigned int)((region->start - addr) >> PAGE_SHIFT);
	unsigned int nr = (unsigned int)((region->end - region->start) >> PAGE_SHIFT);
	uint64_t is = region->categories;

	map_clear_range(&out->absent, first, nr);
	if (!(is & PAGE_IS_PRESENT) || is & PAGE_IS_PFNZERO)
		return;
	out->huge = is & PAGE_IS_HUGE && nr == PAGES_PER_HUGE;
	/* A part of a huge page can't be moved without splitting it. */
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
		long nr = scan(pagemap_own(), at, end, regions, SCAN_REGIONS, &walk_end);

		if (nr < 0)
			return (int)nr;
		for (long i = 0; i < nr; i++)
			note_region(&regions[i], addr, out);
		if (walk_end <= at)
			break;
		at = walk_end;
	}
	return 0;
}

static enum page_look look_of(const struct page_region *region)
{
	if (!(region->categories & PAGE_IS_PRESENT))
		return PAGE_LOOKS_SMALL;
	if (region->categories & PAGE_IS_PFNZERO)
		return PAGE_LOOKS_ZERO;
	return region->categories & PAGE_IS_HUGE ? PAGE_LOOKS_HUGE : PAGE_LOOKS_SMALL;
}

/* A huge mapping shows on each of its pages; one is looked at in no time. */
static long look(int fd, uintptr_t addr, struct page_region *region)
{
	uint64_t walk_end;

	*region = (struct page_region){0};
	return scan(fd, addr, addr + PAGE_BYTES, region, 1, &walk_end);
}

enum page_look pagemap_look(uintptr_t addr)
{
	struct page_region region;

	return look(pagemap_own(), addr, &region) == 1 ? look_of(&region) : PAGE_LOOKS_SMALL;
}

bool pagemap_is_huge(uintptr_t addr)
{
	return pagemap_look(addr) == PAGE_LOOKS_HUGE;
}

int pagemap_open_of(int pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	return (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
}

int pagemap_entries_of(int fd, uintptr_t addr, unsigned int nr_pages, uint64_t *out)
{
	size_t len_bytes = nr_pages * sizeof(*out);
	long len = sys(SYS_pread64, fd, out, len_bytes, (addr >> PAGE_SHIFT) * sizeof(*out));

	if (len < 0)
		return (int)len;
	return len == (long)len_bytes ? 0 : -EIO;
}

/* Has it frames in a row, as a huge page has? */
static bool is_row(int fd, uintptr_t addr)
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
	long nr = look(fd, addr, &region);

	/* Kernels before 6.7 have no PAGEMAP_SCAN. */
	return nr == -ENOTTY ? is_row(fd, addr) : nr == 1 && look_of(&region) == PAGE_LOOKS_HUGE;
}

bool pagemap_seems_huge_in(int pid, uintptr_t addr)
{
	int fd = pagemap_open_of(pid);
	bool seems = fd >= 0 && pagemap_seems_huge_of(fd, addr);

	if (fd >= 0)
		sys(SYS_close, fd);
	return seems;
}

int pagemap_entries(uintptr_t addr, unsigned int nr_pages, uint64_t *out)
{
	return pagemap_entries_of(pagemap_own(), addr, nr_pages, out);
}

static bool is_anonymous(const struct procmap_query *query, const char *name)
{
	if (query->inode || query->dev_major || query->dev_minor)
		return false;
	return query->vma_name_size <= 1 || !strncmp(name, "[heap]", 6) ||
	       !strncmp(name, "[stack]", 7) || !strncmp(name, "[anon:", 6);
}

int mapping_protection(uintptr_t addr)
{
	struct procmap_query query = {.size = sizeof(query), .query_addr = addr};
	long err = sys(SYS_ioctl, atomic_load(&maps_fd), PROCMAP_QUERY, &query);
	int prot = 0;

	if (err)
		return (int)err;
	if (query.vma_flags & PROCMAP_QUERY_VMA_READABLE)
		prot |= PROT_READ;
	if (query.vma_flags & PROCMAP_QUERY_VMA_WRITABLE)
		prot |= PROT_WRITE;
	if (query.vma_flags & PROCMAP_QUERY_VMA_EXECUTABLE)
		prot |= PROT_EXEC;
	return prot;
}

int mapping_find(uintptr_t addr, struct mapping *out)
{
	char name[256];
	struct procmap_query query = {
		.size = sizeof(query),
		.query_flags = PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
		.query_addr = addr,
		.vma_name_size = sizeof(name),
		.vma_name_addr = (uintptr_t)name,
	};
	const uint64_t access = PROCMAP_QUERY_VMA_READABLE | PROCMAP_QUERY_VMA_WRITABLE |
				PROCMAP_QUERY_VMA_EXECUTABLE | PROCMAP_QUERY_VMA_SHARED;
	long err;

	name[0] = '\0';
	err = sys(SYS_ioctl, atomic_load(&maps_fd), PROCMAP_QUERY, &query);
	if (err == -ENAMETOOLONG) {
		/* So long a name is a file's. */
		query.vma_name_size = 0;
		query.vma_name_addr = 0;
		err = sys(SYS_ioctl, atomic_load(&maps_fd), PROCMAP_QUERY, &query);
	}
	if (err)
		return (int)err;
	*out = (struct mapping){
		.start = query.vma_start,
		.end = query.vma_end,
		.exchangeable = (query.vma_flags & access) ==
					(PROCMAP_QUERY_VMA_READABLE | PROCMAP_QUERY_VMA_WRITABLE) &&
				is_anonymous(&query, name),
	};
	return 0;
}
