/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A parcel's way: take-out, copy, put-in. */
#ifndef FERRY_PARCEL_H
#define FERRY_PARCEL_H

#include "base/base.h"
#include "base/bits.h"
#include "engines/engine.h"
#include "include/pageferry.h"
#include "lib/pool/pool.h"

struct lane;

enum parcel_outcome {
	PARCEL_READY,  /* in flight, and the engine has done with it: call parcel_finish() */
	PARCEL_QUEUED, /* in flight: the engine's poll will return it */
	/* nothing of the parcel is in flight: */
	PARCEL_REFUSED, /* the kernel refused to move the first page */
	PARCEL_LATER,   /* a pool has to grow: first put in what this lane has in flight */
	PARCEL_CHANGED, /* the program has unmapped or discarded some of the pages */
	PARCEL_FORKING, /* the program forks, and no page may be in flight meanwhile */
	PARCEL_FOREIGN, /* another userfaultfd watches some of the pages */
	PARCEL_THREAD,  /* threads need some of the pages when they exit */
};

/*
 * Takes out nr_pages pages at `at` and submits them to the lane's engine channel. The caller has
 * set source, target, huge and node. Fewer pages may come out than were asked for.
 */
enum parcel_outcome parcel_start(struct lane *lane, struct parcel *parcel, uintptr_t at,
				 unsigned int nr_pages);

/*
 * Call this once the engine has done with the parcel. The CPU copies what the engine left, every
 * page is put in, and the spans go back to their pools. This cannot fail: a page that has not
 * arrived is where it was. False: a hung device may still write frames of the parcel, which stays
 * in quarantine until parcel_release().
 */
bool parcel_finish(struct lane *lane, struct parcel *parcel);

/* The device is quiet: gives the quarantined frames back to their pool. */
void parcel_release(struct lane *lane, struct parcel *parcel);

#endif
