/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ranges that the program has discarded lately. madvise(2) discards only after its event has been
 * read, and may be preempted before it does. Pages that are taken out in between would come back
 * with their old content, so nothing is taken out there for a while.
 *
 * All of this is used inside `move_gate`, or with it shut.
 */
#ifndef FERRY_DISCARDS_H
#define FERRY_DISCARDS_H

#include "base/base.h"

/* A ring. */
struct discards {
	struct discard {
		uintptr_t start, end;
		uint64_t at_ns;
	} recent[64];
	unsigned int next;
};

void discards_note(struct discards *discards, uintptr_t start, uintptr_t end);
/* May a discard of some of this range still be under way? */
bool discards_overlap(const struct discards *discards, uintptr_t start, size_t len_bytes);

#endif
