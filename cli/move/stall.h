/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --stall: how long accesses to pages take while the pages move. */
#ifndef MIGBENCH_MOVE_STALL_H
#define MIGBENCH_MOVE_STALL_H

#include "cli/move/row.h"

/* Moves while a reader and a writer access random pages; fills row's histograms. 0 or -errno. */
int move_stall(struct subject *subject, struct ferry *ferry, struct move_row *row);

#endif
