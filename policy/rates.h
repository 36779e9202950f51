/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of the cost model that all kinds of plans share. Times in ns, rates in bytes per ns. */
#ifndef FERRY_RATES_H
#define FERRY_RATES_H

#include "policy/choose.h"

static inline double at_most(double value, double limit)
{
	return value < limit ? value : limit;
}

static inline double at_least(double value, double limit)
{
	return value > limit ? value : limit;
}

/* The costs of this work for the run in question. */
const struct profile_cost *model_cost(const struct choose_question *question,
				      enum profile_work work);

/* The rate of one worker or device that does nothing else, in bytes per ns. */
double model_rate_alone(const struct choose_question *question, enum profile_work work);

/*
 * What n workers or devices can copy together: as much as the way between the nodes lets through,
 * and as others leave of the node's memory, or a fair share where they use nearly all of it. A copy
 * within a node reads and writes there, so its memory delivers twice what is copied.
 */
double model_limit(const struct choose_question *question, double n);

/* The rate at which n workers copy. Workers of one L3 share its limit, all share the memory's. */
double model_copy_rate(const struct choose_question *question, double n);

/*
 * How long n workers take for work_ns of CPU time each. A worker that has slept gets a whole time
 * slice at once, then waits for one slice of each competitor. If the work has several rounds, the
 * workers that do not wait do more of it.
 */
double model_stretch(const struct choose_question *question, double n, double work_ns,
		     double nr_rounds);

/*
 * The same for work of which slowed_ns is due to others that copy. Lanes that are preempted leave
 * memory to the others, unless all are preempted at once; the truth is between the two.
 */
double model_stretch_slowed(const struct choose_question *question, double n, double work_ns,
			    double slowed_ns, double nr_rounds);

/* For how long a worker that is preempted keeps its pages in flight. */
double model_preempted_ns(const struct choose_question *question, double n, double work_ns);

/*
 * Planning, and waking workers one after the other. Lanes that get one piece of work each end when
 * the last one that was woken does; of more pieces, those that began earlier take more.
 */
double model_start_ns(const struct choose_question *question, double lanes, double nr_rounds);

#endif
