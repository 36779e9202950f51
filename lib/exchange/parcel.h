/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Take-out, copy, put-in of one parcel. */
#ifndef FERRY_PARCEL_H
#define FERRY_PARCEL_H

#include "base/base.h"
#include "base/bits.h"
#include "engines/engine.h"
#include "include/pageferry.h"
#include "lib/pool/pool.h"

struct lane;

enum parcel_start {
	PARCEL_READY,   /* out, the engine has done with it: finish it */
	PARCEL_QUEUED,  /* out; the engine's poll will bring it */
	PARCEL_REFUSED, /* nothing is out: the kernel refused the first page */
	PARCEL_NO_FRAMES,
	PARCEL_LATER,   /* nothing is out: first bring in what else this lane has out */
	PARCEL_CHANGED, /* nothing is out: the program has unmapped or discarded some of it */
};

/*
 * Takes out nr_pages pages at `at` and hands them to the lane's engine channel. source, target,
 * huge and node are set by the caller. Fewer pages may come out than were asked for.
 */
enum parcel_start parcel_start(struct lane *lane, struct parcel *parcel, uintptr_t at,
			       unsigned int nr_pages);

/*
 * After the engine: the CPU copies what it left, everything is put in, spans go back to their
 * pools. Cannot fail: what has not arrived is where it was. Returns false if frames must be kept in
 * quarantine, and with them the parcel, until parcel_release.
 */
bool parcel_finish(struct lane *lane, struct parcel *parcel);

/* The device is quiet: quarantined frames are frames again. */
void parcel_release(struct lane *lane, struct parcel *parcel);

#endif
