// SPDX-License-Identifier: LGPL-2.1-or-later
/* A ring of the last discards. */
#include "base/clock.h"
#include "lib/exchange/discards.h"

/*
 * How long a discard counts as under way. Increasing this covers a longer preemption of the thread
 * that discards; decreasing it lets pages be exchanged again sooner.
 */
#define DISCARD_NS (100 * NS_PER_MS)

void discards_note(struct discards *discards, uintptr_t start, uintptr_t end)
{
	discards->recent[discards->next] = (struct discard){start, end, now_ns()};
	discards->next = (discards->next + 1) % ARRAY_SIZE(discards->recent);
}

bool discards_overlap(const struct discards *discards, uintptr_t start, size_t len_bytes)
{
	uint64_t since = now_ns() - DISCARD_NS;

	/* The next entry is the oldest. If it still counts, the ring may have lost others. */
	if (discards->recent[discards->next].at_ns > since)
		return true;
	for (unsigned int i = 0; i < ARRAY_SIZE(discards->recent); i++) {
		const struct discard *discard = &discards->recent[i];

		if (discard->at_ns > since && start < discard->end &&
		    discard->start < start + len_bytes)
			return true;
	}
	return false;
}
