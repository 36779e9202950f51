/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A calibration under way: what is measured, on which nodes, and the samples so far. */
#ifndef MIGBENCH_CALIBRATION_H
#define MIGBENCH_CALIBRATION_H

#include "cli/copy/engine_run.h"
#include "cli/machine/machine.h"
#include "cli/measure/measure.h"
#include "crew/placement.h"
#include "policy/profile.h"

/* Samples of each number in each pass. */
#define CALIBRATION_ROUNDS 3

/*
 * A sample is the least of so many measurements that are shorter than a time slice. Others that use
 * the CPU meanwhile do not make it larger, unless they use all of it.
 */
#define CALIBRATION_TRIES 5

/* A job that is exchanged as one chunk. */
#define CALIBRATION_JOB_BYTES (512UL << 10)

/* Pairs of nodes that are equally far apart take turns, one in each pass. */
#define REACH_PAIRS_MAX 64

struct reach {
	unsigned int nr_pairs;
	int pairs[REACH_PAIRS_MAX][2];
};

/* Something that copies: the CPU engine with so many threads, or a device. */
struct copier {
	enum profile_work work;
	unsigned int nr_threads;
	bool one_l3; /* all threads share one L3 */
	struct engine_run run;
	struct samples rate[PROFILE_NR_REACHES]; /* bytes per ns, of the largest folios */
};

/* One thread, 2, 4, 8 … all, all of one L3, and a device of each kind. */
#define COPIERS_MAX 16

struct calibration {
	struct placement *placement;
	struct reach reaches[PROFILE_NR_REACHES];
	struct copier copiers[COPIERS_MAX];
	unsigned int nr_copiers;
	char no_exchange[160]; /* why UFFDIO_MOVE was not measured */
	char no_device[PROFILE_NR_DEVICES][160];

	struct profile profile; /* defaults, in the end what was measured */
	struct samples of[PROFILE_NR_FIELDS];
	struct samples huge_move_ns; /* UFFDIO_MOVE of one huge page */
	struct samples job_ns; /* of a job of CALIBRATION_JOB_BYTES in small pages, by one worker */

	unsigned int nr_passes; /* that are complete */
	uint64_t begin_ns, time_ns;
};

/* Begins with defaults for this machine. 0 or an exit code. */
int calibration_open(struct calibration *calibration, uint64_t time_ns);
void calibration_close(struct calibration *calibration);

/* The nodes of this pass for this distance. False: the machine has no such nodes. */
bool calibration_nodes(const struct calibration *calibration, enum profile_reach reach,
		       int node[2]);

/* True if the time is up and everything has been measured once. */
bool calibration_is_over(const struct calibration *calibration);

/* Adds a sample of a number of calibration->profile. */
void calibration_note(struct calibration *calibration, const double *number, double value);
/* The samples of that number. */
const struct samples *calibration_samples(const struct calibration *calibration,
					  const double *number);
/* The median of its samples; without any, the number itself. */
double calibration_median(const struct calibration *calibration, const double *number);

/* 0 without samples, 1 if they are all equal. */
double samples_confidence(const struct samples *samples);

/* Puts the medians into calibration->profile, within the bounds of each number. */
void calibration_finish(struct calibration *calibration);

#endif
