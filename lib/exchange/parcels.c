// SPDX-License-Identifier: LGPL-2.1-or-later
/* The parcels of all lanes. */
#include "lib/exchange/parcels.h"

void parcels_for_each_live(struct ferry *ferry, parcel_fn fn, void *arg)
{
	for (unsigned int l = 0; l < ferry->nr_lanes; l++) {
		struct lane *lane = &ferry->lanes[l];

		for (unsigned int p = 0; lane->nr_live && p < LANE_PARCELS; p++)
			if (lane->parcels[p].live)
				fn(ferry, &lane->parcels[p], arg);
	}
}
