/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A grain is what a thread takes of a batch at a time: several items, or a part of one. */
#ifndef FERRY_GRAIN_H
#define FERRY_GRAIN_H

#include "copy/kernels.h"
#include "engines/engine.h"

/* A place in a row of batches; ordered by batch, item and offset. */
struct grain_at {
	uint32_t batch;
	uint32_t item;
	uint32_t offset_bytes;
};

/*
 * Where a grain from here ends: in the midst of a large item, or after as many as make it up, but
 * in the same batch.
 */
struct grain_at grain_end(const struct engine_batch *batch, struct grain_at at, uint32_t room);

void copy_grain(const struct copy_kernel *kernel, const struct engine_item *items,
		struct grain_at at, struct grain_at end);

/* All of them: small ones in step, four at a time, where the kernel can; adjoining ones as one. */
void copy_items(const struct copy_kernel *kernel, const struct engine_item *items,
		uint32_t nr_items);

#endif
