/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs the commands of a report, each in a process of its own, and keeps their JSON. */
#ifndef MIGBENCH_STEPS_H
#define MIGBENCH_STEPS_H

#include <jansson.h>

#include "cli/full_report/plan.h"

/*
 * An array with an object per step: "command", "arguments" (the command line), "seconds", and
 * either "output" (the JSON of the command) or "error" (a sentence). "exit_status" is absent if its
 * time ran out. Of a step that was tried again, the array has the last attempt. Steps that had not
 * begun when the time was over have an error too.
 */
json_t *steps_run(struct plan *plan, uint64_t time_ns);

#endif
