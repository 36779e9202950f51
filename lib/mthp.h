/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folios between 4 KiB and 2 MiB. UFFDIO_MOVE would split them, so they go to the kernel mover,
 * which keeps them whole. Only /proc/kpageflags tells them from small pages.
 */
#ifndef FERRY_MTHP_H
#define FERRY_MTHP_H

#include "base/base.h"
#include "base/bits.h"

/* Can there be any on this machine? */
bool mthp_enabled(void);
/* May this process see which pages belong to them? */
bool mthp_can_tell(void);

/* Sets in out the pages of [addr, + nr_pages), at most 512, that belong to one. 0 or -errno. */
int mthp_survey(uintptr_t addr, unsigned int nr_pages, struct page_map *out);

#endif
