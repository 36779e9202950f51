/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* migbench calibrate: measures what moving memory costs here, and writes the machine's profile. */
#ifndef MIGBENCH_CALIBRATE_H
#define MIGBENCH_CALIBRATE_H

#include "cli/args/args.h"

extern const struct command calibrate_command;

#endif
