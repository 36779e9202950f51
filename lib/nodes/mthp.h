/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folios between 4 KiB and 2 MiB. UFFDIO_MOVE would split them, so the kernel mover moves them,
 * which keeps them whole. Only /proc/kpageflags distinguishes them from small pages.
 */
#ifndef FERRY_MTHP_H
#define FERRY_MTHP_H

#include "base/base.h"
#include "base/bits.h"

/* Up to 512 pages; bit 0 is the first. */
struct mthp_map {
	struct page_map large;  /* part of a folio of several pages */
	struct page_map joined; /* part of the same folio as the page before it */
};

/* True if the machine may have such folios. */
bool mthp_enabled(void);
/* Opens /proc/kpageflags once per process, if the process is allowed to. */
void mthp_open(void);
/* True if this process may see which pages belong to such folios. Opens the files for that. */
bool mthp_can_identify(void);

/*
 * Finds the folios in nr_pages pages, at most 512. 0 or -errno; -EPERM: the kernel does not show
 * folios to this process.
 */
int __must_check mthp_scan(uintptr_t addr, unsigned int nr_pages, struct mthp_map *out);

/*
 * Where a piece that begins at addr ends: near stop, but not inside a folio. Two threads would move
 * the halves of such a folio at once, and find it busy or gone. The end is at most limit, and at
 * most 2 MiB from addr. If folios cannot be seen, pieces end where huge pages do.
 */
uintptr_t mthp_stop_between(uintptr_t addr, uintptr_t stop, uintptr_t limit);

#endif
