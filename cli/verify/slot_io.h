/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps in which a device or the kernel accesses a slot's pages while they move. */
#ifndef MIGBENCH_VERIFY_SLOT_IO_H
#define MIGBENCH_VERIFY_SLOT_IO_H

#include "cli/verify/run.h"

bool slot_direct(struct actor *actor);
bool slot_vm(struct actor *actor);
bool slot_pipe(struct actor *actor);

#endif
