/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a pool gets its frames and gives them back: by extents of 16 MiB. */
#ifndef FERRY_EXTENTS_H
#define FERRY_EXTENTS_H

#include "lib/pool/pool.h"

/* Says of a part of the pool's address space what is true of all of it. 0, or mbind's -errno. */
int extent_advise(const struct pool *pool, uintptr_t addr, size_t len_bytes);

/* Brings one more extent into use, with nr_bays of it filled (0: all holes, for slots). */
int __must_check extent_add(struct pool *pool, unsigned int nr_bays, uint64_t stamp);
/* The same with as many filled as the cap allows; *nr_made grows by the frames. */
int __must_check extent_add_filled(struct pool *pool, uint64_t stamp, uint64_t *nr_made);

#endif
