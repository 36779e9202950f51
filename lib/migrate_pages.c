// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "base/sys.h"
#include "lib/internal.h"

long ferry_migrate_pages(struct ferry *ferry, int pid, unsigned long maxnode,
			 const unsigned long *old_nodes, const unsigned long *new_nodes)
{
	long ret;

	if (!ferry) {
		errno = EINVAL;
		return -1;
	}
	atomic_fetch_add_explicit(&ferry->nr_calls, 1, memory_order_relaxed);
	ret = sys(SYS_migrate_pages, pid, maxnode, old_nodes, new_nodes);
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}
