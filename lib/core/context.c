// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the parts above need of a context beside its fields. */
#include "lib/core/context.h"

bool context_has_pool(struct ferry *ferry, int node)
{
	return pools_get(&ferry->pools, node, false);
}

void context_add_tally(struct ferry *ferry, const struct tally *tally)
{
	futex_lock(&ferry->stats_lock);
	tally_add(&ferry->totals, tally);
	ferry->nr_jobs++;
	futex_unlock(&ferry->stats_lock);
}
