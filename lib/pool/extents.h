/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool allocates frames and frees them in extents of 16 MiB. */
#ifndef FERRY_EXTENTS_H
#define FERRY_EXTENTS_H

#include "lib/pool/pool.h"

/* Applies the pool's madvise and mbind settings to a subrange. 0, or mbind's -errno. */
int extent_advise(const struct pool *pool, uintptr_t addr, size_t len_bytes);

/*
 * Brings one more extent into use, with nr_bays of it filled (0: all holes, for slots). stamp is
 * the current nodes_migration_stamp(). 0 or -errno.
 */
int __must_check extent_add(struct pool *pool, unsigned int nr_bays, uint64_t stamp);
/* The same with as many filled as the cap allows; adds the number of new frames to *nr_made. */
int __must_check extent_add_filled(struct pool *pool, uint64_t stamp, uint64_t *nr_made);

#endif
