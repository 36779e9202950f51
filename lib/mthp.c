// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "lib/mthp.h"

/* The smallest anonymous folio above a page is of order 2, and folios are naturally aligned. */
#define GROUP_PAGES 4U

#define PAGEMAP_PRESENT  (1ULL << 63)
#define PAGEMAP_PFN_MASK ((1ULL << 55) - 1)

static bool size_enabled(unsigned int kib)
{
	char path[96], text[128];
	long fd, len;

	snprintf(path, sizeof(path), "/sys/kernel/mm/transparent_hugepage/hugepages-%ukB/enabled",
		 kib);
	fd = sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = sys(SYS_read, fd, text, sizeof(text) - 1);
	sys(SYS_close, fd);
	text[len > 0 ? len : 0] = '\0';
	return !strstr(text, "[never]");
}

bool mthp_enabled(void)
{
	for (unsigned int kib = 8; kib < HUGE_BYTES >> 10; kib *= 2)
		if (size_enabled(kib))
			return true;
	return false;
}

static long open_flags(void)
{
	return sys(SYS_openat, AT_FDCWD, "/proc/kpageflags", O_RDONLY | O_CLOEXEC);
}

bool mthp_can_tell(void)
{
	struct page_map map = {0};
	char here = 0;

	return !mthp_survey(ALIGN_DOWN((uintptr_t)&here, PAGE_BYTES), 1, &map);
}

static int read_at(long fd, uint64_t number, uint64_t *out, unsigned int nr)
{
	long len = sys(SYS_pread64, fd, out, nr * sizeof(*out), number * sizeof(*out));

	if (len < 0)
		return (int)len;
	return len == (long)(nr * sizeof(*out)) ? 0 : -EIO;
}

static int survey(long pagemap, long flags, uintptr_t addr, unsigned int nr_pages,
		  struct page_map *out)
{
	uint64_t entries[PAGES_PER_HUGE];
	int err = read_at(pagemap, addr >> PAGE_SHIFT, entries, nr_pages);

	for (unsigned int i = 0; !err && i < nr_pages;) {
		unsigned int to_group_end = GROUP_PAGES - (addr >> PAGE_SHIFT) % GROUP_PAGES;
		unsigned int nr = MIN(i ? GROUP_PAGES : to_group_end, nr_pages - i);
		uint64_t pfn = entries[i] & PAGEMAP_PFN_MASK, kpf = 0;

		if (entries[i] & PAGEMAP_PRESENT) {
			/* Without CAP_SYS_ADMIN every frame number reads as 0. */
			err = pfn ? read_at(flags, pfn, &kpf, 1) : -EPERM;
			if (kpf >> KPF_COMPOUND_HEAD & 1 || kpf >> KPF_COMPOUND_TAIL & 1)
				map_set_range(out, i, nr);
		}
		i += nr;
	}
	return err;
}

int mthp_survey(uintptr_t addr, unsigned int nr_pages, struct page_map *out)
{
	long pagemap = sys(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	long flags = open_flags();
	int err;

	if (pagemap < 0 || flags < 0)
		err = (int)MIN(pagemap, flags);
	else
		err = survey(pagemap, flags, addr, nr_pages, out);
	if (pagemap >= 0)
		sys(SYS_close, pagemap);
	if (flags >= 0)
		sys(SYS_close, flags);
	return err;
}
