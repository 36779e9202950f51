/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fills the pools of a new context. */
#ifndef FERRY_FRAMES_H
#define FERRY_FRAMES_H

#include "lib/core/context.h"

/* Fills the pool of each node with prefill_bytes of small frames, by all workers at once. */
void frames_prefill(struct ferry *ferry);

#endif
