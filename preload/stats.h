/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts calls, and writes the line of statistics at exit. */
#ifndef FERRY_PRELOAD_STATS_H
#define FERRY_PRELOAD_STATS_H

#include "preload/context.h"

void stats_count_served(void);
void stats_count_plain(enum plain why);

/* In a forked child: resets all counts. */
void stats_reset(void);

/* Writes the line. where: "1" for stderr, or the name of a file to append to. */
void stats_report(const char *where);

#endif
