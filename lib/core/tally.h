/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An account of pages, bytes and time. A lane keeps one for the job that it works on. A job adds up
 * those of its lanes, a context those of its jobs. struct ferry_result explains the fields.
 */
#ifndef FERRY_TALLY_H
#define FERRY_TALLY_H

#include "base/base.h"
#include "include/pageferry.h"

struct tally {
	uint64_t nr_moved, nr_in_place, nr_failed;
	uint64_t pages_by_mover[FERRY_NR_MOVERS];
	uint64_t pages_by_reason[FERRY_NR_REASONS];
	uint64_t bytes_by_engine, bytes_by_cpu;
	uint64_t nr_syscalls, nr_chunks;
	uint64_t worker_cpu_ns, max_stall_ns, first_page_ns;
	uint64_t nr_frames_allocated;
};

void tally_add(struct tally *sum, const struct tally *part);

#endif
