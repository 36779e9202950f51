// SPDX-License-Identifier: LGPL-2.1-or-later
/* The sum of two accounts. */
#include "lib/core/tally.h"

void tally_add(struct tally *sum, const struct tally *part)
{
	sum->nr_moved += part->nr_moved;
	sum->nr_in_place += part->nr_in_place;
	sum->nr_failed += part->nr_failed;
	for (unsigned int i = 0; i < FERRY_NR_MOVERS; i++)
		sum->pages_by_mover[i] += part->pages_by_mover[i];
	for (unsigned int i = 0; i < FERRY_NR_REASONS; i++)
		sum->pages_by_reason[i] += part->pages_by_reason[i];
	sum->bytes_by_engine += part->bytes_by_engine;
	sum->bytes_by_cpu += part->bytes_by_cpu;
	sum->nr_syscalls += part->nr_syscalls;
	sum->nr_chunks += part->nr_chunks;
	sum->worker_cpu_ns += part->worker_cpu_ns;
	sum->max_stall_ns = MAX(sum->max_stall_ns, part->max_stall_ns);
	if (part->first_page_ns &&
	    (!sum->first_page_ns || part->first_page_ns < sum->first_page_ns))
		sum->first_page_ns = part->first_page_ns;
	sum->nr_frames_allocated += part->nr_frames_allocated;
}
