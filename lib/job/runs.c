// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * UFFDIO_MOVE takes pages out of any mapping. But a thread that accesses such a page waits for it
 * only if the memory is registered with the userfaultfd.
 */
#include <errno.h>

#include "lib/exchange/exchange.h"
#include "lib/job/runs.h"

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

void run_unregister(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	watcher_unregister(ferry, start, end);
}
