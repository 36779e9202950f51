/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What became of the calls, and the line that tells it at exit. */
#ifndef FERRY_PRELOAD_STATS_H
#define FERRY_PRELOAD_STATS_H

#include "preload/context.h"

void stats_count_served(void);
void stats_count_plain(enum plain why);

/* In a forked child: begins at zero. */
void stats_reset(void);

/* where: "1" for stderr, or the name of a file to append to. */
void stats_report(const char *where);

#endif
