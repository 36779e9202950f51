/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step 4 of an exchange: put-in, whatever the program has done to the mapping meanwhile. */
#ifndef FERRY_PUT_IN_H
#define FERRY_PUT_IN_H

#include "lib/exchange/parcel.h"

/*
 * Puts in the pages of the parcel's maps: `taken` from the frames, `back` from the slot. The lane
 * is inside `move_gate`, and is inside again on return. Afterwards
 *   arrived  has the taken pages whose new frame is at their address;
 *   taken    has the slot pages that hold a frame (of content that is elsewhere, or discarded);
 *   back     is empty.
 */
void parcel_put_in(struct lane *lane, struct parcel *parcel);

#endif
