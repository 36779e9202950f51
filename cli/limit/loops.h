/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plain copy loops in pinned threads, one per CPU: no engine, no crew, no queue. */
#ifndef MIGBENCH_LOOPS_H
#define MIGBENCH_LOOPS_H

#include <stddef.h>
#include <stdint.h>

#include "copy/kernels.h"
#include "crew/placement.h"

struct loops;

/* Starts one thread per place, in the placement's order. 0 or -EAGAIN. */
int loops_open(const struct placement *placement, struct loops **out);
void loops_close(struct loops *loops);
unsigned int loops_nr_threads(const struct loops *loops);

struct loops_job {
	copy_fn copy;
	char *dst;
	const char *src;
	size_t len_bytes;
	size_t folio_bytes; /* a thread's share is a number of folios */
	size_t piece_bytes; /* a call of copy gets this much, a multiple of folio_bytes */
};

/* Nanoseconds from the first thread's start to the last one's end. */
uint64_t loops_run(struct loops *loops, const struct loops_job *job, unsigned int nr_threads);

#endif
