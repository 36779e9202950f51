/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* whole migrations, against the kernel's and against the copy limit. */
#ifndef MIGBENCH_MOVE_H
#define MIGBENCH_MOVE_H

#include "cli/args/args.h"

extern const struct command move_command;

#endif
