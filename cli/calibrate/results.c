// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>

#include "cli/calibrate/results.h"

enum { COL_NUMBER, COL_VALUE, COL_DEFAULT, COL_CONFIDENCE, COL_SAMPLES };

static const struct column measured_columns[] = {
	[COL_NUMBER] = {"number", "NUMBER", COLUMN_TEXT, 0, false},
	[COL_VALUE] = {"value", "MEASURED", COLUMN_REAL, 3, false},
	[COL_DEFAULT] = {"default", "DEFAULT", COLUMN_REAL, 3, false},
	[COL_CONFIDENCE] = {"confidence", "CONFIDENCE", COLUMN_REAL, 2, false},
	[COL_SAMPLES] = {"samples", "SAMPLES", COLUMN_COUNT, 0, false},
};

enum { SCALE_REACH, SCALE_WORKERS, SCALE_WHERE, SCALE_RATE };

static const struct column scaling_columns[] = {
	[SCALE_REACH] = {"reach", "DISTANCE", COLUMN_TEXT, 0, false},
	[SCALE_WORKERS] = {"workers", "WORKERS", COLUMN_COUNT, 0, false},
	[SCALE_WHERE] = {"where", "WHERE", COLUMN_TEXT, 0, false},
	[SCALE_RATE] = {"gb_per_s", "GB/s", COLUMN_REAL, 2, false},
};

enum { KEPT_NUMBERS, KEPT_WHY };

static const struct column kept_columns[] = {
	[KEPT_NUMBERS] = {"numbers", "NUMBERS", COLUMN_TEXT, 0, false},
	[KEPT_WHY] = {"why", "WHY", COLUMN_TEXT, 0, false},
};

static void report_measured(const struct calibration *calibration, struct report *report)
{
	struct table *table = report_table(report, "measured", "Measured", measured_columns,
					   ARRAY_SIZE(measured_columns));
	struct profile defaults;

	profile_defaults(&defaults, (unsigned int)calibration->profile.nr_clusters,
			 (unsigned int)calibration->profile.cluster_cores);
	for (unsigned int at = 0; at < PROFILE_NR_FIELDS; at++) {
		const struct samples *samples = &calibration->of[at];
		struct profile_field field;

		if (!samples->nr)
			continue;
		profile_field(at, &field);
		table_row(table);
		table_text(table, COL_NUMBER, "%s", field.name);
		table_spread(table, COL_VALUE, profile_get(&calibration->profile, at),
			     samples_mad(samples));
		table_real(table, COL_DEFAULT, profile_get(&defaults, at));
		table_real(table, COL_CONFIDENCE, samples_confidence(samples));
		table_count(table, COL_SAMPLES, samples->nr);
	}
}

static void report_scaling(const struct calibration *calibration, struct report *report)
{
	struct table *table = report_table(report, "scaling", "Copying by several workers",
					   scaling_columns, ARRAY_SIZE(scaling_columns));

	for (int reach = 0; reach < PROFILE_NR_REACHES; reach++) {
		for (unsigned int i = 0; i < calibration->nr_copiers; i++) {
			const struct copier *copier = &calibration->copiers[i];
			const struct samples *rate = &copier->rate[reach];

			if (copier->work != PROFILE_CPU || !rate->nr)
				continue;
			table_row(table);
			table_text(table, SCALE_REACH, "%s",
				   profile_reach_name((enum profile_reach)reach));
			table_count(table, SCALE_WORKERS, copier->nr_threads);
			table_text(table, SCALE_WHERE, "%s",
				   copier->one_l3 ? "one L3" : "spread over the L3s");
			table_spread(table, SCALE_RATE, samples_median(rate), samples_mad(rate));
		}
	}
}

/* ---- what keeps its default ---- */

static void table_keep(struct table *table, const char *numbers, const char *why)
{
	table_row(table);
	table_text(table, KEPT_NUMBERS, "%s", numbers);
	table_text(table, KEPT_WHY, "%s", why);
}

static void keep_reaches(const struct calibration *calibration, struct table *table)
{
	for (int reach = 0; reach < PROFILE_NR_REACHES; reach++) {
		char numbers[PROFILE_NAME_BYTES];

		if (calibration->reaches[reach].nr_pairs)
			continue;
		snprintf(numbers, sizeof(numbers), "*.%s",
			 profile_reach_name((enum profile_reach)reach));
		table_keep(table, numbers, "this machine has no nodes that are so far apart");
	}
}

static bool reach_was_moved(const struct calibration *calibration)
{
	for (int reach = PROFILE_NEAR; reach < PROFILE_NR_REACHES; reach++) {
		const struct profile_cost *cost =
			&calibration->profile.cost[PROFILE_KERNEL][reach][PROFILE_4K];

		if (calibration->reaches[reach].nr_pairs &&
		    !calibration_samples(calibration, &cost->ns_per_byte)->nr)
			return false;
	}
	return true;
}

static void keep_parts(const struct calibration *calibration, struct table *table)
{
	const struct profile *profile = &calibration->profile;

	table_keep(table, "kernel.same", "within a node the kernel moves nothing");
	if (!reach_was_moved(calibration))
		table_keep(table, "kernel", "move_pages(2) did not move all pages");
	table_keep(table, "kernel.*.64k, move_folio_ns.64k",
		   "the kernel splits such folios when it moves them");
	if (!calibration_samples(calibration,
				 &profile->cost[PROFILE_CPU][PROFILE_SAME][PROFILE_2M].ns_per_byte)
		     ->nr)
		table_keep(table, "*.2m", "the kernel gave no huge pages");
	if (calibration->no_exchange[0])
		table_keep(table, "move_*, flush_ns, plan_ns", calibration->no_exchange);
	else if (calibration->placement->nr_places == 1)
		table_keep(table, "flush_ns, interrupted_ns", "there is one CPU only");
	for (int kind = 0; kind < PROFILE_NR_DEVICES; kind++)
		if (calibration->no_device[kind][0])
			table_keep(table,
				   kind == PROFILE_DEVICE_DSA ? "dsa, dsa_device"
							      : "sdxi, sdxi_device",
				   calibration->no_device[kind]);
	table_keep(table, "move_serial, kernel_serial, batch_bytes, slice_ns",
		   "not measured by this version");
}

void results_report(const struct calibration *calibration, struct report *report)
{
	struct table *kept;

	report_measured(calibration, report);
	report_scaling(calibration, report);
	kept = report_table(report, "kept", "Defaults, with confidence 0", kept_columns,
			    ARRAY_SIZE(kept_columns));
	keep_reaches(calibration, kept);
	keep_parts(calibration, kept);
}
