// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "cli/limit/limit.h"

#define SCREENING_PASSES 3
/* A turn of the screening copies this much; the next one goes on where it ended. */
#define SCREENING_BYTES            (16UL << 20)
#define SCREENING_BYTES_PER_THREAD (2UL << 20)

/* Copies len_bytes of the areas, from offset `at` on. */
static void candidate_run(struct limit *limit, struct limit_candidate *candidate, size_t at,
			  size_t len_bytes)
{
	const struct loops_job job = {
		.copy = candidate->kernel->copy,
		.dst = limit->dst->base + at,
		.src = limit->src->base + at,
		.len_bytes = len_bytes,
		.folio_bytes = limit->dst->folio_bytes,
		.piece_bytes = candidate->piece_bytes,
	};
	uint64_t ns = loops_run(limit->loops, &job, candidate->nr_threads);

	samples_add(&candidate->gb_per_s, (double)job.len_bytes / (double)MAX(ns, 1U));
}

static void limit_add(struct limit *limit, const struct copy_kernel *kernel, size_t piece_bytes)
{
	unsigned int nr_all = loops_nr_threads(limit->loops);

	for (unsigned int nr = 1; limit->nr < LIMIT_CANDIDATES_MAX; nr = MIN(2 * nr, nr_all)) {
		limit->candidates[limit->nr++] = (struct limit_candidate){
			.kernel = kernel, .nr_threads = nr, .piece_bytes = piece_bytes};
		if (nr == nr_all)
			break;
	}
}

/* Folio by folio, and each thread's share at once: that is where pages in step, and libc, gain. */
static void limit_add_candidates(struct limit *limit)
{
	for (unsigned int i = 0; i < nr_copy_kernels; i++) {
		if (!copy_kernels[i].usable())
			continue;
		limit_add(limit, &copy_kernels[i], limit->dst->folio_bytes);
		limit_add(limit, &copy_kernels[i], limit->dst->len_bytes);
	}
}

/* Takes turns, so that noise meets all candidates, each on other memory than the one before. */
static void limit_screen(struct limit *limit)
{
	size_t folio_bytes = limit->dst->folio_bytes, len = limit->dst->len_bytes, at = 0;
	size_t per_thread = SCREENING_BYTES_PER_THREAD * loops_nr_threads(limit->loops);
	size_t turn = MIN(ALIGN_UP(MAX(SCREENING_BYTES, per_thread), folio_bytes), len);

	for (unsigned int pass = 0; pass < SCREENING_PASSES; pass++) {
		for (unsigned int i = 0; i < limit->nr; i++, at += turn) {
			if (at + turn > len)
				at = 0;
			candidate_run(limit, &limit->candidates[i], at, turn);
		}
	}
}

static int candidate_compare(const void *a, const void *b)
{
	double x = samples_max(&((const struct limit_candidate *)a)->gb_per_s);
	double y = samples_max(&((const struct limit_candidate *)b)->gb_per_s);

	return (x < y) - (x > y);
}

/* Noise during screening must not leave only candidates that use part of the machine. */
static void limit_keep_all_threads(struct limit *limit)
{
	unsigned int nr_all = loops_nr_threads(limit->loops), i = 0;

	while (limit->candidates[i].nr_threads != nr_all)
		i++;
	if (i >= LIMIT_KEPT) {
		struct limit_candidate swap = limit->candidates[LIMIT_KEPT - 1];

		limit->candidates[LIMIT_KEPT - 1] = limit->candidates[i];
		limit->candidates[i] = swap;
	}
}

void limit_open(struct limit *limit, struct loops *loops, const struct area *dst,
		const struct area *src)
{
	memset(limit, 0, sizeof(*limit));
	limit->loops = loops;
	limit->dst = dst;
	limit->src = src;
	limit_add_candidates(limit);
	limit_screen(limit);
	qsort(limit->candidates, limit->nr, sizeof(limit->candidates[0]), candidate_compare);
	limit_keep_all_threads(limit);
	while (limit->nr > LIMIT_KEPT)
		samples_free(&limit->candidates[--limit->nr].gb_per_s);
	for (unsigned int i = 0; i < limit->nr; i++)
		samples_free(&limit->candidates[i].gb_per_s);
}

void limit_close(struct limit *limit)
{
	for (unsigned int i = 0; i < limit->nr; i++)
		samples_free(&limit->candidates[i].gb_per_s);
	limit->nr = 0;
}

void limit_round(struct limit *limit)
{
	for (unsigned int i = 0; i < limit->nr; i++)
		candidate_run(limit, &limit->candidates[i], 0, limit->dst->len_bytes);
}

const struct limit_candidate *limit_best(const struct limit *limit)
{
	const struct limit_candidate *best = NULL;

	for (unsigned int i = 0; i < limit->nr; i++) {
		const struct limit_candidate *candidate = &limit->candidates[i];

		if (candidate->gb_per_s.nr && (!best || samples_median(&candidate->gb_per_s) >
								samples_median(&best->gb_per_s)))
			best = candidate;
	}
	return best;
}
