/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that exit while memory of theirs is in flight. */
#ifndef FERRY_DEATHS_H
#define FERRY_DEATHS_H

#include "lib/core/lane.h"

/*
 * Pages that exiting threads need are not taken out (lib/nodes/threads.h). These functions serve
 * those that could not be known: of threads that started, or mutexes that were locked, after the
 * look before the take-out. All pages of the parcel have been put in; called outside `move_gate`.
 */

/* Did a thread exit while the parcel was in flight? Waits for those that are exiting. */
bool parcel_met_deaths(struct lane *lane, const struct parcel *parcel);

/*
 * Does what the kernel could not do when a thread exited: clears the thread's id in its control
 * block, marks its robust mutexes in the parcel FUTEX_OWNER_DIED, and wakes those who wait for
 * either. The lane has nothing in flight: the program may have moved other pages of its to where
 * the parcel was, and to read them would wait for ever.
 */
void parcel_serve_deaths(struct lane *lane, const struct parcel *parcel);

#endif
