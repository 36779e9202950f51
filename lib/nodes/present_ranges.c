// SPDX-License-Identifier: LGPL-2.1-or-later
/* Walks the mappings of a process (PROCMAP_QUERY) and the present pages in each (PAGEMAP_SCAN). */
#include <errno.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "base/vault.h"
#include "lib/nodes/kernel_file.h"
#include "lib/nodes/pagemap.h"
#include "lib/nodes/present_ranges.h"

/*
 * Regions that one PAGEMAP_SCAN returns at most. More need fewer system calls in memory full of
 * holes; fewer need less stack: a region takes 24 bytes.
 */
#define REGIONS 256

struct present_walk {
	struct own_fd pagemap, maps;
	present_range_fn fn;
	void *arg;
};

static int present_walk_mapping(struct present_walk *walk, uint64_t start, uint64_t end)
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
		long nr = sys(SYS_ioctl, walk->pagemap.fd, PAGEMAP_SCAN, &arg);

		if (nr < 0)
			return (int)nr;
		for (long i = 0; i < nr; i++) {
			int err;

			/* Pool frames, and all else of ours, are useful only where they are. */
			if (vault_overlaps((void *)regions[i].start,
					   regions[i].end - regions[i].start))
				continue;
			err = walk->fn(walk->arg, regions[i].start,
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

static int present_walk_all(struct present_walk *walk)
{
	uint64_t at = 0;
	int err = 0;

	while (!err) {
		struct procmap_query query = {
			.size = sizeof(query),
			.query_flags = PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
			.query_addr = at,
		};
		long ret = sys(SYS_ioctl, walk->maps.fd, PROCMAP_QUERY, &query);

		if (ret == -ENOENT)
			break;
		if (ret)
			return (int)ret;
		err = present_walk_mapping(walk, query.vma_start, query.vma_end);
		at = query.vma_end;
	}
	return err;
}

int present_ranges_walk(int pid, present_range_fn fn, void *arg)
{
	struct present_walk walk = {.maps = OWN_FD_NONE, .fn = fn, .arg = arg};
	int err;

	if (!pid)
		pid = (int)sys(SYS_getpid);
	err = pagemap_open_of(pid, &walk.pagemap);
	if (!err)
		err = kernel_file_open_of(pid, "maps", &walk.maps);
	if (!err)
		err = present_walk_all(&walk);
	own_fd_drop(&walk.pagemap);
	own_fd_drop(&walk.maps);
	return err;
}
