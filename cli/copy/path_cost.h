/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The CPU time of the path to a device. A null device, which completes each descriptor at once and
 * copies nothing, leaves only the CPU's work; a copy by the CPU is the comparison.
 */
#ifndef MIGBENCH_COPY_PATH_COST_H
#define MIGBENCH_COPY_PATH_COST_H

#include "cli/copy/session.h"

/* Is the engine a null device? Returns 0, or an exit code after a message. */
int copy_find_null_device(const struct copy_session *session, bool *is_null);
/* Returns 0, or an exit code after a message. */
int copy_path_cost(struct copy_session *session);

#endif
