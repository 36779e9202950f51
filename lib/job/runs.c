// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * UFFDIO_MOVE takes pages out of any mapping. But a thread that accesses such a page waits for it
 * only if the memory is registered with the userfaultfd.
 */
#include <errno.h>

#include "lib/job/runs.h"
#include "lib/nodes/mappings.h"

/*
 * EBUSY and EINVAL tell that the kernel has registered nothing. ENOMEM, for want of mappings or
 * memory, may come after it has registered some of several mappings.
 */
int run_register(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	int err = uffd_register(ferry->uffd, start, end - start);

	if (err == -ENOMEM)
		run_unregister(ferry, start, end);
	return err;
}

/*
 * If the program has mapped something else into the range, the kernel may refuse to unregister it
 * as a whole. Then this unregisters mapping by mapping.
 */
void run_unregister(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	struct mapping mapping;

	if (!uffd_unregister(ferry->uffd, start, end - start))
		return;
	while (start < end && !mapping_find(start, &mapping) && mapping.start < end) {
		uintptr_t from = MAX(start, mapping.start), to = MIN(end, mapping.end);

		uffd_unregister(ferry->uffd, from, to - from);
		start = mapping.end;
	}
}
