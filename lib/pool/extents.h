/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool allocates frames and frees them in extents of 16 MiB. */
#ifndef FERRY_EXTENTS_H
#define FERRY_EXTENTS_H

#include "lib/pool/pool.h"

/* Applies the pool's settings to a subrange that has just been mapped. 0, or mbind's -errno. */
int extent_advise(const struct pool *pool, uintptr_t addr, size_t len_bytes);

/* Brings one more extent into use, of holes for slots. 0 or -errno. */
int __must_check extent_add_slots(struct pool *pool);
/*
 * The same with up to nr_bays of it filled, at most EXTENT_BAYS. stamp is the current
 * nodes_migration_stamp(). Adds the number of new frames to *nr_made.
 */
int __must_check extent_add_frames(struct pool *pool, uint64_t nr_bays, uint64_t stamp,
				   uint64_t *nr_made);

#endif
