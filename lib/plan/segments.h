/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FERRY_SEGMENTS_H
#define FERRY_SEGMENTS_H

#include "lib/core/job.h"

/* Appends a segment, or lengthens the last one. 0 or -ENOMEM. */
int __must_check segments_add(struct segments *segments, const struct segment *segment);

#endif
