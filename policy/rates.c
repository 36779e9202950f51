// SPDX-License-Identifier: LGPL-2.1-or-later
/* How fast workers copy, and how long they take where CPUs are busy. */
#include "policy/rates.h"

/* Workers on CPUs that others want, and how many competitors each of them has there. */
struct model_crowd {
	double part;        /* of the workers */
	double competitors; /* of each of these */
};

static struct model_crowd model_crowd_of(const struct choose_load *load, double n)
{
	double free_cpus = at_least(load->nr_cpus - load->busy_threads, 0);
	struct model_crowd crowd = {.part = 0};

	if (n > free_cpus) {
		crowd.part = (n - free_cpus) / n;
		crowd.competitors =
			at_least(load->busy_threads / load->nr_cpus, free_cpus > 0 ? 1 : 0);
		/* Workers may also be more than CPUs. */
		crowd.competitors += at_least(n / load->nr_cpus - 1, 0);
	}
	return crowd;
}

double model_stretch(const struct choose_question *question, double n, double work_ns,
		     double nr_rounds)
{
	const struct choose_load *load = &question->load;
	struct model_crowd crowd = model_crowd_of(load, n);
	double slice_ns = at_least(question->profile->slice_ns, 1), share;

	work_ns /= at_least(1 - load->steal, 0.01);
	if (crowd.part <= 0 || crowd.competitors <= 0 || work_ns <= slice_ns)
		return work_ns;
	if (crowd.part >= 1 || nr_rounds < 2)
		return work_ns + (work_ns - slice_ns / 2) * crowd.competitors;
	share = 1 - crowd.part + crowd.part / (1 + crowd.competitors);
	return slice_ns + (work_ns - slice_ns) / share;
}

double model_stretch_slowed(const struct choose_question *question, double n, double work_ns,
			    double slowed_ns, double nr_rounds)
{
	double apart_ns = model_stretch(question, n, work_ns - slowed_ns, nr_rounds);
	double in_step_ns = model_stretch(question, n, work_ns, nr_rounds);

	return at_least((apart_ns + in_step_ns) / 2, work_ns);
}

double model_preempted_ns(const struct choose_question *question, double n, double work_ns)
{
	if (work_ns <= question->profile->slice_ns)
		return 0;
	return question->profile->slice_ns * model_crowd_of(&question->load, n).competitors;
}

const struct profile_cost *model_cost(const struct choose_question *question,
				      enum profile_work work)
{
	const struct choose_run *run = &question->run;

	return &question->profile->cost[work][run->reach][profile_size_of(run->folio_bytes)];
}

double model_rate_alone(const struct choose_question *question, enum profile_work work)
{
	const struct profile_cost *cost = model_cost(question, work);

	return 1 / (cost->ns_per_byte + cost->fixed_ns / (double)question->run.folio_bytes);
}

double model_limit(const struct choose_question *question, double n)
{
	const struct choose_load *load = &question->load;
	const struct profile *profile = question->profile;
	double others = at_most(load->busy_threads, load->nr_cpus);
	double left = at_least(1 - load->bandwidth_used, n / (n + others));
	double memory = 2 * profile->limit[PROFILE_SAME] * at_most(left, 1);

	if (question->run.reach == PROFILE_SAME)
		memory /= 2;
	return at_most(profile->limit[question->run.reach], memory);
}

double model_copy_rate(const struct choose_question *question, double n)
{
	const struct profile *profile = question->profile;
	double alone = model_rate_alone(question, PROFILE_CPU);
	double filled =
		(double)(uint64_t)((n + profile->cluster_cores - 1) / profile->cluster_cores);
	double nr_clusters = at_most(profile->fill > 0.5 ? filled : n, profile->nr_clusters);
	/* What others read and write passes their L3, too; what is copied passes it twice. */
	double others = question->load.bandwidth_used * 2 * profile->limit[PROFILE_SAME];
	double left = at_least(profile->cluster_limit - others / profile->nr_clusters / 2,
			       profile->cluster_limit / 4);
	double rate = nr_clusters * at_most(n / nr_clusters * alone, left);

	return at_most(rate, model_limit(question, n));
}

double model_start_ns(const struct choose_question *question, double lanes, double nr_rounds)
{
	const struct profile *profile = question->profile;
	double late = (lanes - 1) * (0.5 + 0.5 / at_least(nr_rounds * nr_rounds, 1));

	return profile->plan_ns * question->run.nr_pieces + profile->wake_ns * (2 + late);
}
