// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "lib/nodes/mthp.h"
#include "lib/nodes/pagemap.h"

#define THP_DIR "/sys/kernel/mm/transparent_hugepage"

static atomic_int flags_fd = -1;

static bool read_text(unsigned int kib, const char *name, char *text, size_t text_bytes)
{
	char path[96];
	long fd, len;

	snprintf(path, sizeof(path), THP_DIR "/hugepages-%ukB/%s", kib, name);
	fd = sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = sys(SYS_read, fd, text, text_bytes - 1);
	sys(SYS_close, fd);
	text[len > 0 ? len : 0] = '\0';
	return len > 0;
}

/* Switched off, they remain until they are freed. */
static bool size_is_about(unsigned int kib)
{
	char text[128];

	if (read_text(kib, "enabled", text, sizeof(text)) && !strstr(text, "[never]"))
		return true;
	return read_text(kib, "stats/nr_anon", text, sizeof(text)) && strtoull(text, NULL, 10);
}

bool mthp_enabled(void)
{
	for (unsigned int kib = 8; kib < HUGE_BYTES >> 10; kib *= 2)
		if (size_is_about(kib))
			return true;
	return false;
}

/* It is the machine's, not the process's: a forked child may keep it. */
void mthp_open(void)
{
	int none = -1;
	long fd;

	if (atomic_load(&flags_fd) >= 0)
		return;
	fd = sys(SYS_openat, AT_FDCWD, "/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && !atomic_compare_exchange_strong(&flags_fd, &none, (int)fd))
		sys(SYS_close, fd);
}

bool mthp_can_tell(void)
{
	struct mthp_map map;
	char here = 0;

	mthp_open();
	return !pagemap_open() && !mthp_survey(ALIGN_DOWN((uintptr_t)&here, PAGE_BYTES), 1, &map);
}

/* ---- what is where ---- */

/* Pages [first, end) have frames in a row, as the pages of a folio have. */
static int note_row(const uint64_t *entries, unsigned int first, unsigned int end,
		    struct mthp_map *out)
{
	uint64_t flags[PAGES_PER_HUGE];
	size_t len_bytes = (end - first) * sizeof(*flags);
	long len = sys(SYS_pread64, atomic_load(&flags_fd), flags, len_bytes,
		       pagemap_frame(entries[first]) * sizeof(*flags));

	if (len < 0)
		return (int)len;
	if (len != (long)len_bytes)
		return -EIO;
	for (unsigned int i = first; i < end; i++) {
		bool tail = flags[i - first] >> KPF_COMPOUND_TAIL & 1;

		if (tail || flags[i - first] >> KPF_COMPOUND_HEAD & 1)
			map_set(&out->large, i);
		if (tail && i > first)
			map_set(&out->goes_on, i);
	}
	return 0;
}

int mthp_survey(uintptr_t addr, unsigned int nr_pages, struct mthp_map *out)
{
	uint64_t entries[PAGES_PER_HUGE];
	int err = pagemap_entries(addr, nr_pages, entries);

	memset(out, 0, sizeof(*out));
	if (!err && atomic_load(&flags_fd) < 0)
		err = -EPERM;
	for (unsigned int first = 0, end; !err && first < nr_pages; first = end) {
		uint64_t frame = pagemap_frame(entries[first]);

		end = first + 1;
		/* Without CAP_SYS_ADMIN every frame number reads as 0. */
		if (entries[first] & PAGEMAP_PRESENT && !frame)
			return -EPERM;
		if (!frame)
			continue;
		while (end < nr_pages && pagemap_frame(entries[end]) == frame + (end - first))
			end++;
		/* Amid others a single frame is no folio, or what is left of one. */
		if (end - first > 1 || !first || end == nr_pages)
			err = note_row(entries, first, end, out);
	}
	return err;
}

uintptr_t mthp_stop_between(uintptr_t addr, uintptr_t stop, uintptr_t limit)
{
	uintptr_t most = MIN(limit, addr + HUGE_BYTES);
	struct mthp_map map;
	unsigned int nr = (unsigned int)((most - addr) / PAGE_BYTES), at, end;

	if (stop >= limit)
		return stop;
	if (mthp_survey(stop - PAGE_BYTES, 2, &map))
		return MIN(most, ALIGN_DOWN(addr, HUGE_BYTES) + HUGE_BYTES);
	if (!map_test(&map.goes_on, 1) || mthp_survey(addr, nr, &map))
		return stop;
	at = (unsigned int)((stop - addr) / PAGE_BYTES);
	end = map_next(&map.goes_on, at, nr, false);
	if (end < nr || most == limit)
		return addr + (uintptr_t)end * PAGE_BYTES;
	/* It ends too far on: then before it begins. */
	for (end = at - 1; end && map_test(&map.goes_on, end);)
		end--;
	return end ? addr + (uintptr_t)end * PAGE_BYTES : stop;
}
