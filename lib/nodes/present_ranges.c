// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/sys.h"
#include "base/vault.h"
#include "lib/nodes/present_ranges.h"
#include "base/uapi.h"

#define REGIONS 256

struct scan {
	long pagemap, maps;
	present_range_fn fn;
	void *arg;
};

static int scan_mapping(struct scan *scan, uint64_t start, uint64_t end)
{
	struct page_region regions[REGIONS];

	while (start < end) {
		struct pm_scan_arg arg = {
			.size = sizeof(arg),
			.start = start,
			.end = end,
			.vec = (uintptr_t)regions,
			.vec_len = REGIONS,
			.category_mask = PAGE_IS_PRESENT,
			.return_mask = PAGE_IS_PRESENT,
		};
		long nr = sys(SYS_ioctl, scan->pagemap, PAGEMAP_SCAN, &arg);

		if (nr < 0)
			return (int)nr;
		for (long i = 0; i < nr; i++) {
			int err;

			/* Our own memory stays: frames on their node are what makes it a pool. */
			if (vault_overlaps((void *)regions[i].start,
					   regions[i].end - regions[i].start))
				continue;
			err = scan->fn(scan->arg, regions[i].start,
				       (regions[i].end - regions[i].start) / PAGE_BYTES);
			if (err)
				return err;
		}
		if (arg.walk_end <= start)
			break;
		start = arg.walk_end;
	}
	return 0;
}

static int scan_all(struct scan *scan)
{
	uint64_t at = 0;
	int err = 0;

	while (!err) {
		struct procmap_query query = {
			.size = sizeof(query),
			.query_flags = PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
			.query_addr = at,
		};
		long ret = sys(SYS_ioctl, scan->maps, PROCMAP_QUERY, &query);

		if (ret == -ENOENT)
			break;
		if (ret)
			return (int)ret;
		err = scan_mapping(scan, query.vma_start, query.vma_end);
		at = query.vma_end;
	}
	return err;
}

static long open_proc(int pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid ? pid : (int)sys(SYS_getpid), name);
	return sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
}

int present_ranges_walk(int pid, present_range_fn fn, void *arg)
{
	struct scan scan = {
		.pagemap = open_proc(pid, "pagemap"),
		.maps = open_proc(pid, "maps"),
		.fn = fn,
		.arg = arg,
	};
	int err;

	if (scan.pagemap < 0 || scan.maps < 0)
		err = (int)MIN(scan.pagemap, scan.maps);
	else
		err = scan_all(&scan);
	if (scan.pagemap >= 0)
		sys(SYS_close, scan.pagemap);
	if (scan.maps >= 0)
		sys(SYS_close, scan.maps);
	return err;
}
