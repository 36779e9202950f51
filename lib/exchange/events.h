/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of the userfaultfd, and what they mean for the parcels. */
#ifndef FERRY_EVENTS_H
#define FERRY_EVENTS_H

#include "lib/core/context.h"

/* Reads and handles all events that wait. Shuts `move_gate` meanwhile. */
void events_read(struct ferry *ferry);

#endif
