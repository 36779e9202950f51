/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How fast an engine copies, by folio size, kernel, number of threads and batch size. */
#ifndef MIGBENCH_COPY_RATE_H
#define MIGBENCH_COPY_RATE_H

#include "cli/copy/session.h"

/* Returns 0, or an exit code after a message. */
int copy_rate(struct copy_session *session);

#endif
