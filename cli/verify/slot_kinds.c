// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/verify/slot_io.h"
#include "cli/verify/slot_kinds.h"
#include "cli/verify/slot_maps.h"

const struct slot_kind slot_kinds[] = {
	{"munmap", slot_munmap, TALLY_MUNMAPS}, {"mprotect", slot_mprotect, TALLY_MPROTECTS},
	{"mremap", slot_mremap, TALLY_MREMAPS}, {"discard", slot_discard, TALLY_DISCARDS},
	{"direct", slot_direct, TALLY_DIRECTS}, {"vm", slot_vm, TALLY_VMS},
	{"pipe", slot_pipe, TALLY_PIPES},
};

const unsigned int nr_slot_kinds = ARRAY_SIZE(slot_kinds);
