/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps that change a slot's mapping while its pages move. */
#ifndef MIGBENCH_VERIFY_SLOT_MAPS_H
#define MIGBENCH_VERIFY_SLOT_MAPS_H

#include "cli/verify/run.h"

bool slot_munmap(struct actor *actor);
bool slot_mprotect(struct actor *actor);
bool slot_mremap(struct actor *actor);
bool slot_discard(struct actor *actor);

#endif
