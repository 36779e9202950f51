/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps on slots, by their names in --with. */
#ifndef MIGBENCH_VERIFY_SLOT_KINDS_H
#define MIGBENCH_VERIFY_SLOT_KINDS_H

#include "cli/verify/run.h"

struct slot_kind {
	const char *name;
	bool (*step)(struct actor *actor);
	enum tally tally;
};

extern const struct slot_kind slot_kinds[];
extern const unsigned int nr_slot_kinds;

#endif
