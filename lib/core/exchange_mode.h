/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chooses the exchange mode of a job, enum policy_mode, and learns from jobs that have ended which
 * mode is the faster one on this machine: separately for small and for huge pages.
 */
#ifndef FERRY_EXCHANGE_MODE_H
#define FERRY_EXCHANGE_MODE_H

#include "policy/policy.h"

struct ferry;
struct ferry_job;

void exchange_mode_init(struct ferry *ferry);

/* True if the first run that the job exchanges begins with a huge page. */
bool exchange_mode_is_huge(const struct ferry_job *job);
/* True if lanes have lately waited for their CPUs. */
bool exchange_mode_cpus_contended(const struct ferry *ferry);

/*
 * The mode for a job that is being planned. Stores in the job what exchange_mode_note() needs, and
 * whether the mode may be learned from the time that the job takes.
 */
enum policy_mode exchange_mode_choose(struct ferry_job *job, uint64_t exchange_pages);
/* Learns from a job that has ended. */
void exchange_mode_note(struct ferry_job *job);

#endif
