// SPDX-License-Identifier: LGPL-2.1-or-later
/* Finds the mappings of this process and tells which of them the exchange mover can serve. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "lib/nodes/kernel_file.h"
#include "lib/nodes/mappings.h"

static struct kernel_file maps_file = {.fd = -1, .own = {.fd = -1}};

int mappings_open(void)
{
	return kernel_file_keep_open(&maps_file, "/proc/self/maps");
}

void mappings_forget(void)
{
	kernel_file_close(&maps_file);
}

static bool mapping_is_anonymous(const struct procmap_query *query, const char *name)
{
	if (query->inode || query->dev_major || query->dev_minor)
		return false;
	return query->vma_name_size <= 1 || !strncmp(name, "[heap]", 6) ||
	       !strncmp(name, "[stack]", 7) || !strncmp(name, "[anon:", 6);
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
	err = sys(SYS_ioctl, atomic_load(&maps_file.fd), PROCMAP_QUERY, &query);
	if (err == -ENAMETOOLONG) {
		/* Only a file has a name of that length: ask again without the name. */
		query.vma_name_size = 0;
		query.vma_name_addr = 0;
		err = sys(SYS_ioctl, atomic_load(&maps_file.fd), PROCMAP_QUERY, &query);
	}
	if (err)
		return (int)err;
	*out = (struct mapping){
		.start = query.vma_start,
		.end = query.vma_end,
		.exchangeable = (query.vma_flags & access) ==
					(PROCMAP_QUERY_VMA_READABLE | PROCMAP_QUERY_VMA_WRITABLE) &&
				mapping_is_anonymous(&query, name),
	};
	return 0;
}
