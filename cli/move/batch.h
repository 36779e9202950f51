/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --batch: time to the first page and to the whole request, by request size. */
#ifndef MIGBENCH_MOVE_BATCH_H
#define MIGBENCH_MOVE_BATCH_H

#include "cli/move/migration.h"

struct table *move_batch_table(struct report *report);
/* Measures each request size and adds rows. 0, or -errno after a message. */
int move_batches(struct subject *subject, struct ferry *ferry, const struct variant_list *variants,
		 struct table *table);

#endif
