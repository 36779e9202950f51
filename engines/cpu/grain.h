/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A grain is the part of a batch that a thread takes at a time: several items, or a part of one. */
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
 * The end of a grain of `room` bytes from here: inside a large item, or after several small ones,
 * but in the same batch.
 */
struct grain_at grain_end(const struct engine_batch *batch, struct grain_at at, uint32_t room);

uint64_t grain_bytes(const struct engine_item *items, struct grain_at at, struct grain_at end);

void copy_grain(const struct copy_kernel *kernel, const struct engine_item *items,
		struct grain_at at, struct grain_at end);

/* Copies contiguous items as one, and others that are small four at a time, if the kernel can. */
void copy_items(const struct copy_kernel *kernel, const struct engine_item *items,
		uint32_t nr_items);

#endif
