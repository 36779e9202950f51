// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/base.h"
#include "base/clock.h"
#include "cli/full_report/plan.h"

#define WRITING_NS_MAX  (5 * NS_PER_SEC)
#define TOTAL_BYTES_MIN ((uint64_t)HUGE_BYTES)

static void plan_add(struct plan *plan, const char *command, uint64_t folio_bytes)
{
	plan->steps[plan->nr_steps++] =
		(struct plan_step){.command = command, .folio_bytes = folio_bytes};
}

void plan_make(struct plan *plan, const struct uint_list *folios, uint64_t total_bytes,
	       bool row_by_row)
{
	plan->nr_steps = 0;
	plan->row_by_row = row_by_row;
	plan->total_bytes = total_bytes;
	plan_add(plan, "topo", 0);
	plan_add(plan, "doctor", 0);
	for (unsigned int i = 0; i < folios->nr; i++) {
		plan_add(plan, "move", folios->v[i]);
		plan_add(plan, "copy", folios->v[i]);
	}
}

uint64_t plan_rounds_ns(uint64_t left_ns, unsigned int nr_left)
{
	uint64_t share_ns = left_ns / MAX(nr_left, 1U);

	return MAX(share_ns * 6 / 10, NS_PER_MS);
}

uint64_t plan_limit_ns(uint64_t left_ns, unsigned int nr_left)
{
	return MIN(2 * left_ns / MAX(nr_left, 1U), left_ns);
}

bool plan_shrink(struct plan *plan)
{
	if (plan->total_bytes <= TOTAL_BYTES_MIN)
		return false;
	plan->total_bytes = MAX(plan->total_bytes / 4, TOTAL_BYTES_MIN);
	return true;
}

uint64_t plan_measuring_ns(uint64_t time_ns)
{
	return time_ns - MIN(time_ns / 10, WRITING_NS_MAX);
}
