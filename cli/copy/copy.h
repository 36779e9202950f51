/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* an engine alone, against the machine's copy limit. */
#ifndef MIGBENCH_COPY_H
#define MIGBENCH_COPY_H

#include "cli/args/args.h"

extern const struct command copy_command;

#endif
