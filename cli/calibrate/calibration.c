// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/calibrate/calibration.h"

/* ---- nodes ---- */

static void reach_add(struct reach *reach, int from, int to)
{
	if (reach->nr_pairs == REACH_PAIRS_MAX)
		return;
	reach->pairs[reach->nr_pairs][0] = from;
	reach->pairs[reach->nr_pairs++][1] = to;
}

static void reaches_find(struct calibration *calibration)
{
	struct machine *machine = cli_alloc(1, sizeof(*machine));

	machine_read(machine);
	for (unsigned int i = 0; i < machine->nr; i++) {
		for (unsigned int j = 0; j < machine->nr; j++) {
			const struct node *from = &machine->v[i], *to = &machine->v[j];
			int distance = i == j ? 10 : MAX(machine->distance[i][j], 11);

			if (from->class == NODE_NO_MEMORY || to->class == NODE_NO_MEMORY)
				continue;
			reach_add(&calibration->reaches[profile_reach_of(
					  (unsigned int)distance, from->has_cpus && to->has_cpus)],
				  from->id, to->id);
		}
	}
	free(machine);
}

bool calibration_nodes(const struct calibration *calibration, enum profile_reach at, int node[2])
{
	const struct reach *reach = &calibration->reaches[at];

	if (!reach->nr_pairs)
		return false;
	memcpy(node, reach->pairs[calibration->nr_passes % reach->nr_pairs], 2 * sizeof(*node));
	return true;
}

bool calibration_is_over(const struct calibration *calibration)
{
	return calibration->nr_passes && now_ns() - calibration->begin_ns >= calibration->time_ns;
}

/* ---- samples ---- */

static unsigned int calibration_at(const struct calibration *calibration, const double *number)
{
	return (unsigned int)(number - (const double *)&calibration->profile);
}

void calibration_note(struct calibration *calibration, const double *number, double value)
{
	samples_add(&calibration->of[calibration_at(calibration, number)], value);
}

const struct samples *calibration_samples(const struct calibration *calibration,
					  const double *number)
{
	return &calibration->of[calibration_at(calibration, number)];
}

double calibration_median(const struct calibration *calibration, const double *number)
{
	const struct samples *samples = calibration_samples(calibration, number);

	return samples->nr ? samples_median(samples) : *number;
}

/*
 * Half of the samples are within the median absolute deviation. Confidence falls to nothing where
 * that is half of the median, but not to 0, which means that nothing was measured.
 */
double samples_confidence(const struct samples *samples)
{
	double median = samples_median(samples), spread = samples_mad(samples), confidence = 1;

	if (!samples->nr)
		return 0;
	if (spread > 0)
		confidence = median > 0 ? 1 - 2 * spread / median : 0;
	return MIN(MAX(confidence, 0.05), samples->nr < CALIBRATION_ROUNDS ? 0.3 : 1.0);
}

/* ---- results ---- */

/* What the model predicts for the small job without its plan, by the medians so far. */
static double job_parts_ns(const struct calibration *calibration)
{
	const struct profile *profile = &calibration->profile;
	const struct profile_cost *copy = &profile->cost[PROFILE_CPU][PROFILE_SAME][PROFILE_4K];
	double nr_pages = (double)CALIBRATION_JOB_BYTES / (double)PAGE_BYTES;

	return 2 * calibration_median(calibration, &profile->wake_ns) +
	       2 * calibration_median(calibration, &profile->move_call_ns) +
	       2 * nr_pages * calibration_median(calibration, &profile->move_folio_ns[PROFILE_4K]) +
	       nr_pages * calibration_median(calibration, &copy->fixed_ns) +
	       CALIBRATION_JOB_BYTES * calibration_median(calibration, &copy->ns_per_byte);
}

/* What UFFDIO_MOVE of a huge page takes beyond the call; and a small job, beyond its parts. */
static void finish_derived(struct calibration *calibration)
{
	struct profile *profile = &calibration->profile;
	double call_ns = calibration_median(calibration, &profile->move_call_ns);

	for (unsigned int i = 0; i < calibration->huge_move_ns.nr; i++)
		calibration_note(calibration, &profile->move_folio_ns[PROFILE_2M],
				 calibration->huge_move_ns.v[i] - call_ns);
	for (unsigned int i = 0; i < calibration->job_ns.nr; i++)
		calibration_note(calibration, &profile->plan_ns,
				 calibration->job_ns.v[i] - job_parts_ns(calibration));
}

/* The best rate of all numbers of workers is what the way between the nodes lets through. */
static void finish_limits(struct calibration *calibration)
{
	struct profile *profile = &calibration->profile;

	for (int reach = 0; reach < PROFILE_NR_REACHES; reach++) {
		const struct samples *best = NULL;

		for (unsigned int i = 0; i < calibration->nr_copiers; i++) {
			const struct copier *copier = &calibration->copiers[i];
			const struct samples *rate = &copier->rate[reach];

			if (copier->work != PROFILE_CPU || !rate->nr)
				continue;
			if (!best || samples_median(rate) > samples_median(best))
				best = rate;
		}
		for (unsigned int i = 0; best && i < best->nr; i++)
			calibration_note(calibration, &profile->limit[reach], best->v[i]);
	}
}

/* Where all workers share one L3, its limit is that of the memory. */
static void finish_cluster(struct calibration *calibration)
{
	struct profile *profile = &calibration->profile;
	const struct samples *rate =
		calibration_samples(calibration, &profile->limit[PROFILE_SAME]);

	for (unsigned int i = 0; i < calibration->nr_copiers; i++)
		if (calibration->copiers[i].one_l3)
			rate = &calibration->copiers[i].rate[PROFILE_SAME];
	for (unsigned int i = 0; i < rate->nr; i++)
		calibration_note(calibration, &profile->cluster_limit, rate->v[i]);
}

/*
 * More CPUs than this machine has do not matter to it; their flushes stay as much more expensive
 * than those of fewer CPUs as the defaults say.
 */
static void finish_flushes(struct calibration *calibration)
{
	double *flush_ns = calibration->profile.flush_ns;
	double before[PROFILE_FLUSH_STEPS];

	memcpy(before, flush_ns, sizeof(before));
	for (unsigned int step = 0; step < PROFILE_FLUSH_STEPS; step++) {
		const struct samples *samples = calibration_samples(calibration, &flush_ns[step]);

		if (samples->nr)
			flush_ns[step] = samples_median(samples);
		else if (step && calibration_samples(calibration, &flush_ns[0])->nr)
			flush_ns[step] = flush_ns[step - 1] + before[step] - before[step - 1];
	}
}

static void finish_confidence(struct calibration *calibration)
{
	struct profile_cost *cost = &calibration->profile.cost[0][0][0];
	struct profile_cost *end =
		cost + (size_t)PROFILE_NR_WORKS * PROFILE_NR_REACHES * PROFILE_NR_SIZES;

	for (; cost < end; cost++)
		cost->confidence =
			samples_confidence(calibration_samples(calibration, &cost->ns_per_byte));
}

void calibration_finish(struct calibration *calibration)
{
	struct profile *profile = &calibration->profile;

	finish_derived(calibration);
	finish_limits(calibration);
	finish_cluster(calibration);
	finish_flushes(calibration);
	finish_confidence(calibration);
	for (unsigned int at = 0; at < PROFILE_NR_FIELDS; at++) {
		const struct samples *samples = &calibration->of[at];
		struct profile_field field;
		double value = samples->nr ? samples_median(samples) : profile_get(profile, at);

		profile_field(at, &field);
		profile_set(profile, at, MIN(MAX(value, field.min), field.max));
	}
}

/* ---- the whole ---- */

int calibration_open(struct calibration *calibration, uint64_t time_ns)
{
	unsigned int nr_l3;

	*calibration = (struct calibration){.begin_ns = now_ns(), .time_ns = time_ns};
	if (placement_open(NULL, &calibration->placement)) {
		cli_error("hwloc cannot read the machine's topology");
		return CLI_FAILED;
	}
	nr_l3 = MAX(calibration->placement->nr_l3, 1U);
	profile_defaults(&calibration->profile, nr_l3, calibration->placement->nr_cores / nr_l3);
	reaches_find(calibration);
	return CLI_OK;
}

void calibration_close(struct calibration *calibration)
{
	for (unsigned int i = 0; i < calibration->nr_copiers; i++) {
		engine_run_close(&calibration->copiers[i].run);
		for (int reach = 0; reach < PROFILE_NR_REACHES; reach++)
			samples_free(&calibration->copiers[i].rate[reach]);
	}
	for (unsigned int at = 0; at < PROFILE_NR_FIELDS; at++)
		samples_free(&calibration->of[at]);
	samples_free(&calibration->huge_move_ns);
	samples_free(&calibration->job_ns);
	placement_close(calibration->placement);
}
