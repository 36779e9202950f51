/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine's copy limit for a folio size: the best rate of plain pinned copy loops on touched
 * memory of that folio size, over copy kernels, numbers of threads and what a call copies. Its
 * rounds alternate with the rounds of what is compared with it, so that noise affects both.
 */
#ifndef MIGBENCH_LIMIT_H
#define MIGBENCH_LIMIT_H

#include "cli/area/area.h"
#include "cli/limit/loops.h"
#include "cli/measure/measure.h"

struct limit_candidate {
	const struct copy_kernel *kernel;
	unsigned int nr_threads;
	size_t piece_bytes; /* see struct loops_job */
	struct samples gb_per_s;
};

#define LIMIT_CANDIDATES_MAX 512
#define LIMIT_KEPT           4

struct limit {
	struct loops *loops;
	const struct area *dst, *src;
	struct limit_candidate candidates[LIMIT_CANDIDATES_MAX];
	unsigned int nr;
};

/* Tries every copy kernel with 1, 2, 4 … all threads briefly, and keeps the best few. */
void limit_open(struct limit *limit, struct loops *loops, const struct area *dst,
		const struct area *src);
void limit_close(struct limit *limit);
/* Runs each candidate that was kept once. */
void limit_round(struct limit *limit);
/* The candidate with the best median; NULL before the first round. */
const struct limit_candidate *limit_best(const struct limit *limit);

#endif
