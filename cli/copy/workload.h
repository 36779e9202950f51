/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory that migbench copy copies, as items for an engine. */
#ifndef MIGBENCH_COPY_WORKLOAD_H
#define MIGBENCH_COPY_WORKLOAD_H

#include "cli/area/area.h"
#include "copy/kernels.h"
#include "engines/engine.h"

struct workload {
	struct area src, dst;
	struct engine_item *items; /* one per folio */
	uint32_t nr_items;
};

/* Returns 0, or an exit code after a message. Needs workload_close() in either case. */
int workload_open(struct workload *workload, size_t folio_bytes);
void workload_close(struct workload *workload);

/* Copies all items in a plain loop in this thread. */
void workload_copy(const struct workload *workload, const struct copy_kernel *kernel);
/* Are the items' destinations equal to their sources? If not, reports the first wrong word. */
bool workload_check(const struct workload *workload);

#endif
