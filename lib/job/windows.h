/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens and closes the windows of a job. */
#ifndef FERRY_WINDOWS_H
#define FERRY_WINDOWS_H

#include "lib/core/job.h"

/*
 * Windows end at multiples of this. Increasing it registers less often; decreasing it makes the
 * stretches smaller in which a fault goes through the watcher.
 */
#define WINDOW_BYTES (32UL << 20)

/*
 * Makes [start, end) of a run the part that the job hands out from, closes windows that the job has
 * done with, and registers the new one. If it can't be registered, job->ready says why, and the
 * part is for the kernel mover. False: all windows are in use. Under the job's lock.
 */
bool __must_check windows_slide(struct ferry_job *job, uintptr_t start, uintptr_t end);
/*
 * Closes the windows of the job that no lane uses. The job continues with a new one. Under the
 * job's lock, or when all lanes have left the job.
 */
void windows_rest(struct ferry_job *job);

#endif
