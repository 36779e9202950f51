/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* moves pages while threads use them, and checks every byte. */
#ifndef MIGBENCH_VERIFY_H
#define MIGBENCH_VERIFY_H

#include "cli/args/args.h"

extern const struct command verify_command;

#endif
