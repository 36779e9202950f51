/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All parcels of a context that are in flight, for the watcher. */
#ifndef FERRY_PARCELS_H
#define FERRY_PARCELS_H

#include "lib/core/context.h"

typedef void (*parcel_fn)(struct ferry *ferry, struct parcel *parcel, void *arg);

/* Calls fn for each live parcel. The caller has shut `move_gate`. */
void parcels_for_each_live(struct ferry *ferry, parcel_fn fn, void *arg);

#endif
