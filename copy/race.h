/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds the fastest copy kernel for a kind of copy on this machine, from the time that real copies
 * take. Each kernel copies a few pieces in turn; the best few copy some more; then the choice
 * stands. That takes some 80 pieces, of which most are copied by a kernel that is nearly as fast as
 * the best. Pure arithmetic: the caller copies and measures.
 *
 * No locks: any number of threads take turns at a time. A turn that is never noted leaves the race
 * with its default.
 */
#ifndef FERRY_COPY_RACE_H
#define FERRY_COPY_RACE_H

#include <stdatomic.h>

#include "copy/kernels.h"

#define RACE_RUNNERS_MAX 24
#define RACE_FINALISTS   6
#define RACE_HEATS       2 /* turns of each runner */
#define RACE_FINALS      7 /* further turns of each finalist */
#define RACE_PIECE_BYTES (256U << 10)
/* Shorter copies do not count: reading the clock would weigh too much. */
#define RACE_MIN_BYTES (32U << 10)

struct copy_race {
	/* NULL while the race is on. */
	_Atomic(const struct copy_kernel *) winner;
	_Atomic uint32_t ns_per_mib; /* of the winner: its median */
	atomic_uint nr_turns, nr_noted;
	atomic_bool finals;
	const struct copy_kernel *runners[RACE_RUNNERS_MAX]; /* the default is the first */
	unsigned int nr_runners;
	uint8_t finalists[RACE_FINALISTS]; /* places in runners[]; the default is the first */
	unsigned int nr_finalists;
	_Atomic uint32_t heat_ns[RACE_RUNNERS_MAX * RACE_HEATS]; /* per MiB */
	_Atomic uint32_t final_ns[RACE_FINALISTS * RACE_FINALS];
};

struct copy_turn {
	const struct copy_kernel *kernel;
	int slot; /* negative: the copy need not be measured */
};

/* The kernels in runners[]; nr_runners is 1 to RACE_RUNNERS_MAX and the first is the default. */
void copy_race_init(struct copy_race *race, const struct copy_kernel *const *runners,
		    unsigned int nr_runners);

/* The kernel for the next piece of that many bytes. */
struct copy_turn copy_race_turn(struct copy_race *race, size_t len_bytes);
/* Only for turns with a slot: what the copy took. */
void copy_race_note(struct copy_race *race, const struct copy_turn *turn, size_t len_bytes,
		    uint64_t ns);

#endif
