/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NUMA nodes, distances, cache domains, and where workers run. */
#ifndef MIGBENCH_TOPO_H
#define MIGBENCH_TOPO_H

#include "cli/args/args.h"
#include "cli/report/report.h"

extern const struct command topo_command;

/* The empty table of nodes. */
struct table *topo_nodes_table(struct report *report);

#endif
