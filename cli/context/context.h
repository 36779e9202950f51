/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens the library as migbench's commands need it. */
#ifndef MIGBENCH_CONTEXT_H
#define MIGBENCH_CONTEXT_H

#include "pageferry.h"

/* Commands use at most this many workers unless options ask for more. */
#define CONTEXT_DEFAULT_WORKERS_MAX 16U

/* Returns 0, or an exit code after a message. */
int context_open(const struct ferry_options *options, struct ferry **out);

#endif
