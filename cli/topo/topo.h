/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NUMA nodes, distances, cache domains, and where workers run. */
#ifndef MIGBENCH_TOPO_H
#define MIGBENCH_TOPO_H

#include "cli/args/args.h"

extern const struct command topo_command;

#endif
