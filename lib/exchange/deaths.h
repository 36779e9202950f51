/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that exit while memory of theirs is in flight. */
#ifndef FERRY_DEATHS_H
#define FERRY_DEATHS_H

#include "lib/core/lane.h"

/*
 * Pages that exiting threads need are not taken out (lib/nodes/threads.h). This serves those that
 * could not be known: of threads that started, or mutexes that were locked, after the look before
 * the take-out. It does what the kernel could not do when the thread exited: clears the thread's id
 * in its control block, marks its robust mutexes in the parcel FUTEX_OWNER_DIED, and wakes those
 * who wait for either. All pages of the parcel have been put in; called outside `move_gate`.
 */
void parcel_serve_deaths(struct lane *lane, const struct parcel *parcel);

#endif
