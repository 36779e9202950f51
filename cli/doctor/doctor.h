/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* what this machine can use, and the remedy for what it cannot. */
#ifndef MIGBENCH_DOCTOR_H
#define MIGBENCH_DOCTOR_H

#include "cli/args/args.h"
#include "cli/report/report.h"

extern const struct command doctor_command;

/* The empty table of findings. */
struct table *doctor_table(struct report *report);

#endif
