/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread that forks children, which check the memory that they inherit. A fork is not a snapshot
 * of one instant, because writers continue while the kernel copies page tables. But no counter may
 * be older than before the fork, and every other word must be right.
 */
#ifndef MIGBENCH_VERIFY_FORKER_H
#define MIGBENCH_VERIFY_FORKER_H

#include "cli/verify/run.h"

bool forker_step(struct actor *actor);
void forker_close(struct actor *actor);

#endif
