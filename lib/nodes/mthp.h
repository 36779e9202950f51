/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folios between 4 KiB and 2 MiB. UFFDIO_MOVE would split them, so they go to the kernel mover,
 * which keeps them whole. Only /proc/kpageflags tells them from small pages.
 */
#ifndef FERRY_MTHP_H
#define FERRY_MTHP_H

#include "base/base.h"
#include "base/bits.h"

/* Up to 512 pages; bit 0 is the first. */
struct mthp_map {
	struct page_map large;   /* part of a folio of several pages */
	struct page_map goes_on; /* and of the same one as the page before it */
};

/* Can there be any on this machine? */
bool mthp_enabled(void);
/* Opens what the following look at, once per process, if that is allowed. */
void mthp_open(void);
/* May this process see which pages belong to them? */
bool mthp_can_tell(void);

/* Looks at [addr, + nr_pages), at most 512. 0 or -errno; -EPERM: they can't be told. */
int __must_check mthp_survey(uintptr_t addr, unsigned int nr_pages, struct mthp_map *out);

/*
 * A piece that begins at addr is to end near stop, not amid a folio: two threads would move that at
 * once, and find it busy or gone. Its end, at most limit or 2 MiB on; where folios can't be told,
 * between huge pages.
 */
uintptr_t mthp_stop_between(uintptr_t addr, uintptr_t stop, uintptr_t limit);

#endif
