// SPDX-License-Identifier: LGPL-2.1-or-later
/* The choice: the plan of least cost among a few settings of each kind. */
#include <float.h>

#include "policy/choose.h"

/*
 * What a ns of CPU time weighs where time is what counts. Increasing this leaves out workers that
 * shorten a move a little; decreasing it uses workers that hardly help.
 */
#define CPU_WEIGHT 0.002
/* What a ns of time weighs where something else counts: it decides between equals. */
#define TIME_WEIGHT            0.02
#define TIME_WEIGHT_BACKGROUND 0.2

/*
 * Chunk sizes and numbers of chunks in flight that are compared. More of them find better plans and
 * make the choice take longer.
 */
static const uint64_t chunk_sizes[] = {HUGE_BYTES,     HUGE_BYTES / 2,  HUGE_BYTES / 4,
				       HUGE_BYTES / 8, HUGE_BYTES / 16, HUGE_BYTES / 32};
static const unsigned int gathers[] = {1, 2, 4, 8, 16, 32, 64};

static unsigned int choose_max_workers(const struct choose_question *question)
{
	const struct choose_load *load = &question->load;
	unsigned int max = MAX(load->nr_cpus, 1U);

	if (question->wishes.goal == CHOOSE_BACKGROUND)
		return 1;
	return question->wishes.max_workers ? MIN(max, question->wishes.max_workers) : max;
}

/* 1, 2, 3, 4, 6, 8, 12 … and max itself. */
static unsigned int choose_next_workers(unsigned int n, unsigned int max)
{
	unsigned int next = n < 2 ? n + 1 : n & (n - 1) ? n / 3 * 4 : n / 2 * 3;

	return n < max ? MIN(next, max) : max + 1;
}

static enum choose_bar choose_engine_bar(const struct choose_question *question,
					 enum choose_engine engine)
{
	enum profile_device_kind kind = choose_engine_device(engine);
	const struct choose_device *queue;

	if (kind == PROFILE_NR_DEVICES)
		return CHOOSE_POSSIBLE;
	queue = &question->queues.device[kind];
	if (!queue->nr || question->profile->device[kind].nr < 1)
		return CHOOSE_BAR_NO_DEVICE;
	if (question->wishes.goal == CHOOSE_BACKGROUND && queue->pending_ns > 0)
		return CHOOSE_BAR_QUEUE;
	return CHOOSE_POSSIBLE;
}

static enum choose_bar choose_bar_of(const struct choose_question *question, enum choose_kind kind,
				     unsigned int max_workers)
{
	if (choose_mover(kind) == FERRY_MOVER_KERNEL)
		return CHOOSE_POSSIBLE;
	if (!question->run.exchangeable)
		return CHOOSE_BAR_MAPPING;
	if (choose_is_together(kind) && (max_workers < 2 || !question->queues.max_gather))
		return CHOOSE_BAR_ALONE;
	return choose_engine_bar(question, choose_engine_of(kind));
}

static unsigned int choose_nr_devices(const struct choose_question *question, enum choose_kind kind)
{
	enum profile_device_kind device = choose_mover(kind) == FERRY_MOVER_KERNEL
						  ? PROFILE_NR_DEVICES
						  : choose_engine_device(choose_engine_of(kind));

	if (device == PROFILE_NR_DEVICES)
		return 0;
	return MIN(question->queues.device[device].nr,
		   (unsigned int)question->profile->device[device].nr);
}

static double choose_score(const struct choose_question *question, const struct choose_cost *cost)
{
	switch (question->wishes.goal) {
	case CHOOSE_LEAST_CPU:
		return cost->cpu_ns + TIME_WEIGHT * cost->time_ns;
	case CHOOSE_LEAST_STALL:
		return cost->stall_ns + TIME_WEIGHT * cost->time_ns;
	case CHOOSE_BACKGROUND:
		return cost->cpu_ns + TIME_WEIGHT_BACKGROUND * cost->time_ns;
	default:
		return cost->time_ns + CPU_WEIGHT * cost->cpu_ns;
	}
}

/* True if a is to be preferred. The bound comes first, then the time limit, then the score. */
static bool candidate_is_better(const struct choose_candidate *a, const struct choose_candidate *b)
{
	if (b->bar || a->bar)
		return b->bar && !a->bar;
	if (a->keeps_bound != b->keeps_bound)
		return a->keeps_bound;
	if (a->in_time != b->in_time)
		return a->in_time;
	return a->score < b->score;
}

/* How long pages are in flight while nobody is preempted: what the stall bound is about. */
static bool choose_keeps_bound(const struct choose_question *question,
			       const struct choose_plan *plan)
{
	struct choose_question calm = *question;
	struct choose_plan copy = *plan;
	struct choose_cost cost;

	/* How long the kernel lets pages be absent is its own matter. */
	if (choose_mover(plan->kind) == FERRY_MOVER_KERNEL)
		return true;
	calm.load.busy_threads = 0;
	calm.load.steal = 0;
	policy_predict(&calm, &copy, &cost);
	return cost.stall_ns <= (double)question->wishes.stall_bound_ns;
}

static void choose_try(const struct choose_question *question, const struct choose_plan *plan,
		       double call_ns, struct choose_candidate *best)
{
	struct choose_candidate candidate = {.plan = *plan};

	policy_predict(question, &candidate.plan, &candidate.cost);
	candidate.score = choose_score(question, &candidate.cost);
	candidate.in_time =
		question->wishes.goal == CHOOSE_LEAST_TIME || candidate.cost.time_ns <= call_ns;
	candidate.keeps_bound = choose_keeps_bound(question, plan);
	if (candidate_is_better(&candidate, best))
		*best = candidate;
}

static void choose_settings(const struct choose_question *question, struct choose_plan plan,
			    double call_ns, struct choose_candidate *best)
{
	bool together = choose_is_together(plan.kind);

	for (unsigned int c = 0; c < ARRAY_SIZE(chunk_sizes); c++) {
		/* A chunk holds whole folios; only the first size holds runs below all others. */
		if (chunk_sizes[c] < question->run.folio_bytes)
			break;
		plan.chunk_bytes = chunk_sizes[c];
		for (unsigned int g = 0; g < (together ? ARRAY_SIZE(gathers) : 1); g++) {
			if (together && gathers[g] > question->queues.max_gather)
				break;
			plan.gather = gathers[g];
			choose_try(question, &plan, call_ns, best);
		}
	}
}

static void choose_kind_best(const struct choose_question *question, enum choose_kind kind,
			     unsigned int max_workers, double call_ns,
			     struct choose_candidate *best)
{
	struct choose_plan plan = {
		.kind = kind,
		.nr_workers = 1,
		.gather = 1,
		.nr_devices = choose_nr_devices(question, kind),
	};
	enum choose_bar bar = choose_bar_of(question, kind, max_workers);

	*best = (struct choose_candidate){
		.bar = bar ? bar : CHOOSE_BAR_ALONE, .plan = plan, .score = DBL_MAX};
	if (bar)
		return;
	if (kind == CHOOSE_CALL) {
		choose_try(question, &plan, DBL_MAX, best);
		return;
	}
	/* Together with one worker is apart with one. */
	for (unsigned int n = choose_is_together(kind) ? 2 : 1; n <= max_workers;
	     n = choose_next_workers(n, max_workers)) {
		plan.nr_workers = n;
		if (kind == CHOOSE_SLICES)
			choose_try(question, &plan, call_ns, best);
		else
			choose_settings(question, plan, call_ns, best);
	}
}

/* The part of the time in which the winner differs most from the rival, to its advantage. */
static enum choose_term choose_because(const struct choose_cost *winner,
				       const struct choose_cost *rival)
{
	enum choose_term because = CHOOSE_TERM_START;

	for (int term = 1; term < CHOOSE_NR_TERMS; term++)
		if (rival->term_ns[term] - winner->term_ns[term] >
		    rival->term_ns[because] - winner->term_ns[because])
			because = (enum choose_term)term;
	return because;
}

static void choose_among(const struct choose_question *question, unsigned int max_workers,
			 struct choose_decision *out)
{
	double call_ns = DBL_MAX;

	out->winner = CHOOSE_CALL;
	out->rival = CHOOSE_CALL;
	for (int kind = 0; kind < CHOOSE_NR_KINDS; kind++) {
		struct choose_candidate *candidate = &out->of_kind[kind];

		choose_kind_best(question, (enum choose_kind)kind, max_workers, call_ns, candidate);
		if (kind == CHOOSE_CALL)
			call_ns = candidate->cost.time_ns;
		else if (candidate_is_better(candidate, &out->of_kind[out->winner]))
			out->winner = (enum choose_kind)kind;
	}
	for (int kind = 0; kind < CHOOSE_NR_KINDS; kind++) {
		if (kind == (int)out->winner || out->of_kind[kind].bar)
			continue;
		if (out->rival == out->winner ||
		    candidate_is_better(&out->of_kind[kind], &out->of_kind[out->rival]))
			out->rival = (enum choose_kind)kind;
	}
	out->because =
		choose_because(&out->of_kind[out->winner].cost, &out->of_kind[out->rival].cost);
}

void policy_choose(const struct choose_question *question, struct choose_decision *out)
{
	unsigned int max_workers = choose_max_workers(question);

	/* Busy threads never get more competitors than an idle machine would have workers. */
	if (question->load.busy_threads > 0) {
		struct choose_question idle = *question;

		idle.load.busy_threads = 0;
		choose_among(&idle, max_workers, out);
		max_workers = out->of_kind[out->winner].plan.nr_workers;
	}
	choose_among(question, max_workers, out);
}
