/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the workers of a job exchange together or apart: learned from the jobs before it. */
#ifndef FERRY_EXCHANGE_MODE_H
#define FERRY_EXCHANGE_MODE_H

#include "policy/policy.h"

struct ferry;
struct ferry_job;

void exchange_modes_init(struct ferry *ferry);

/* The way for a job that is being planned; notes in it whether its time is to be learned from. */
enum policy_mode exchange_mode_choose(struct ferry_job *job, uint64_t exchange_pages);
/* The job has ended. */
void exchange_mode_note(struct ferry_job *job);

#endif
