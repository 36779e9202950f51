/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The segments of a job while they are being collected. */
#ifndef FERRY_SEGMENTS_H
#define FERRY_SEGMENTS_H

#include "lib/core/job.h"

/* Appends a segment, or extends the last segment by it. 0 or -ENOMEM. */
int __must_check segments_add(struct segments *segments, const struct segment *segment);

#endif
