/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that request moves: ranges and lists, large and small, some cancelled or out of time. */
#ifndef MIGBENCH_VERIFY_REQUESTER_H
#define MIGBENCH_VERIFY_REQUESTER_H

#include "cli/verify/run.h"

bool requester_step(struct actor *actor);
void requester_close(struct actor *actor);

#endif
