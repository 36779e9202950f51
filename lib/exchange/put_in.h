/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step 4 of the exchange mover: put pages in, whatever became of their mapping meanwhile. */
#ifndef FERRY_PUT_IN_H
#define FERRY_PUT_IN_H

#include "lib/exchange/parcel.h"

/*
 * Puts in what the parcel's maps say: taken pages from the frames, pages to go back from the slot.
 * Called inside the `move_gate`, and inside it on return. Afterwards
 *   arrived  taken pages that were put in as whole frames;
 *   taken    slot pages that hold a frame now (their content is elsewhere, or was discarded);
 *   back     cleared.
 */
void put_in(struct lane *lane, struct parcel *parcel);

#endif
