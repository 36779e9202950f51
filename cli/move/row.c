// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "cli/move/options.h"
#include "cli/move/row.h"

void move_row_free(struct move_row *row)
{
	samples_free(&row->gb_per_s);
	samples_free(&row->cpu_s_per_gib);
	samples_free(&row->worker_s_per_gib);
	samples_free(&row->faults);
	samples_free(&row->frames);
	samples_free(&row->first_us);
	samples_free(&row->inflight_us);
	free(row->reader);
	free(row->writer);
}

static void row_add_result(struct move_row *row, const struct ferry_result *result, double gib)
{
	samples_add(&row->worker_s_per_gib, (double)result->worker_cpu_ns / 1e9 / gib);
	samples_add(&row->frames, (double)result->nr_frames_allocated);
	samples_add(&row->first_us, (double)result->first_page_ns / 1e3);
	if (result->max_stall_ns)
		samples_add(&row->inflight_us, (double)result->max_stall_ns / 1e3);
	memcpy(row->pages_by_mover, result->pages_by_mover, sizeof(row->pages_by_mover));
	memcpy(row->pages_by_reason, result->pages_by_reason, sizeof(row->pages_by_reason));
}

void move_row_add(struct move_row *row, const struct outcome *outcome, size_t asked_bytes)
{
	const struct ferry_result *result = &outcome->result;
	/* Within a node, statuses do not tell a new frame from the old one; the job's count does.
	 */
	double part = outcome->has_result && result->nr_pages
			      ? (double)result->nr_moved / (double)result->nr_pages
			      : 1 - outcome->left_part;
	double bytes = (double)asked_bytes * part, gib = bytes / (1UL << 30);

	row->moved_part = MIN(row->moved_part, part);
	samples_add(&row->gb_per_s, bytes / (double)outcome->ns);
	/* The process's CPU time includes that of busy threads. */
	if (!move_options.nr_busy)
		samples_add(&row->cpu_s_per_gib, outcome->cpu_s / gib);
	samples_add(&row->faults, (double)outcome->nr_faults);
	if (outcome->has_result)
		row_add_result(row, result, gib);
}
