// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * UFFDIO_MOVE takes pages out of any mapping. But a thread that accesses such a page waits for it
 * only if the memory is registered with the userfaultfd.
 */
#include <errno.h>

#include "lib/exchange/exchange.h"
#include "lib/job/runs.h"
#include "lib/nodes/mappings.h"

void runs_register(struct ferry_job *job)
{
	struct ferry *ferry = job->ferry;

	futex_lock(&ferry->runs_lock);
	ferry->nr_registered++;
	for (size_t i = 0; i < job->segments.nr; i++) {
		struct segment *segment = &job->segments.at[i];
		int err;

		if (segment->mover != FERRY_MOVER_EXCHANGE)
			continue;
		err = uffd_register(job->ferry->uffd, segment->addr,
				    segment->nr_pages * PAGE_BYTES);
		if (!err)
			continue;
		segment->mover = FERRY_MOVER_KERNEL;
		segment->reason = err == -EBUSY ? FERRY_REASON_UFFD_BUSY : FERRY_REASON_MAPPING;
	}
	futex_unlock(&ferry->runs_lock);
}

/*
 * If the program has mapped something else into the range, the kernel may refuse to unregister it
 * as a whole. Then this unregisters mapping by mapping.
 */
static void run_unregister(struct ferry_job *job, uintptr_t start, uintptr_t end)
{
	struct mapping mapping;

	if (!uffd_unregister(job->ferry->uffd, start, end - start))
		return;
	while (start < end && !mapping_find(start, &mapping) && mapping.start < end) {
		uintptr_t from = MAX(start, mapping.start), to = MIN(end, mapping.end);

		uffd_unregister(job->ferry->uffd, from, to - from);
		start = mapping.end;
	}
}

void runs_unregister(struct ferry_job *job)
{
	struct ferry *ferry = job->ferry;

	futex_lock(&ferry->runs_lock);
	for (size_t i = 0; i < job->segments.nr; i++) {
		const struct segment *segment = &job->segments.at[i];
		uintptr_t end = segment->addr + segment->nr_pages * PAGE_BYTES;

		if (segment->mover != FERRY_MOVER_EXCHANGE)
			continue;
		watcher_note_grown(ferry, segment->addr, end);
		run_unregister(job, segment->addr, end);
	}
	/* Other jobs may have pages in flight in the moved ranges, so the last job does this. */
	if (!--ferry->nr_registered)
		watcher_unregister_moved(ferry);
	futex_unlock(&ferry->runs_lock);
}
