/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads of this process that compute, on a CPU each, while the caller has one of its own. */
#ifndef MIGBENCH_SPINNERS_H
#define MIGBENCH_SPINNERS_H

#include "crew/placement.h"

struct spinners;

/* Binds the caller to the first place and the threads to the next ones; nr < nr_places. 0, -errno.
 */
int spinners_start(const struct placement *placement, unsigned int nr, struct spinners **out);
/* The first thread's undisturbed speed is known; from now on it counts what it loses. */
void spinners_mark(struct spinners *spinners);
/* The time that the first thread has lost since the mark. */
double spinners_lost_ns(struct spinners *spinners);
/* The threads sleep until they are stopped, so their CPUs do not run the process. */
void spinners_pause(struct spinners *spinners);
/* Ends the threads; the caller may run where it could before. */
void spinners_stop(struct spinners *spinners);

#endif
