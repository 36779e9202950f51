// SPDX-License-Identifier: LGPL-2.1-or-later
/* The statistics of a context. */
#include "lib/core/context.h"

void context_add_tally(struct ferry *ferry, const struct tally *tally)
{
	futex_lock(&ferry->stats_lock);
	tally_add(&ferry->totals, tally);
	ferry->nr_jobs++;
	futex_unlock(&ferry->stats_lock);
}
