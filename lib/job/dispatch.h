/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hands out the units of a job to its lanes, in order of position. */
#ifndef FERRY_DISPATCH_H
#define FERRY_DISPATCH_H

#include "lib/core/job.h"

enum dispatch {
	UNIT_GIVEN, /* *out is the next unit */
	UNIT_NONE,  /* all have been handed out, or the job is stopped */
	UNIT_LATER, /* all windows are in use */
};

/* The number of pages that one system call of the kernel mover is to move, by its time. */
uint64_t dispatch_wanted_pages(const struct lane *lane);

enum dispatch dispatch_next_unit(struct ferry_job *job, struct lane *lane, struct unit *out);

#endif
