/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FERRY_PARCELS_H
#define FERRY_PARCELS_H

#include "lib/core/context.h"

typedef void (*parcel_fn)(struct ferry *ferry, struct parcel *parcel, void *arg);

/* The parcels that are in flight. For the watcher, with the `move_gate` shut. */
void parcels_for_each_live(struct ferry *ferry, parcel_fn fn, void *arg);

#endif
