/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* a page, a text and JSON to show others what this machine does. */
#ifndef MIGBENCH_FULL_REPORT_H
#define MIGBENCH_FULL_REPORT_H

#include "cli/args/args.h"

extern const struct command report_command;

#endif
