/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* migbench explain: what the cost model would choose, and why. */
#ifndef MIGBENCH_EXPLAIN_H
#define MIGBENCH_EXPLAIN_H

#include "cli/args/args.h"

extern const struct command explain_command;

#endif
