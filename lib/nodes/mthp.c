// SPDX-License-Identifier: LGPL-2.1-or-later
/* Finds folios between 4 KiB and 2 MiB by their consecutive frames and /proc/kpageflags. */
#include <errno.h>
#include <linux/kernel-page-flags.h>
#include <string.h>

#include "base/sys.h"
#include "base/text.h"
#include "lib/nodes/kernel_file.h"
#include "lib/nodes/mthp.h"
#include "lib/nodes/pagemap.h"

#define THP_DIR "/sys/kernel/mm/transparent_hugepage"

static struct kernel_file flags_file = {.fd = -1, .own = {.fd = -1}};

static bool mthp_read_text(unsigned int kib, const char *name, char *text, size_t text_bytes)
{
	char path[96] = THP_DIR "/hugepages-";

	text_add_number(path, sizeof(path), kib);
	text_add(path, sizeof(path), "kB/");
	text_add(path, sizeof(path), name);
	return kernel_file_read(path, text, text_bytes) > 0;
}

/* Folios of a size that has been switched off remain until they are freed. */
static bool mthp_size_is_present(unsigned int kib)
{
	char text[128];

	if (mthp_read_text(kib, "enabled", text, sizeof(text)) && !strstr(text, "[never]"))
		return true;
	return mthp_read_text(kib, "stats/nr_anon", text, sizeof(text)) && text[0] != '0';
}

bool mthp_enabled(void)
{
	for (unsigned int kib = 8; kib < HUGE_BYTES >> 10; kib *= 2)
		if (mthp_size_is_present(kib))
			return true;
	return false;
}

/* The file shows the machine's frames, not a process's pages: a forked child may keep it. */
void mthp_open(void)
{
	kernel_file_keep_open(&flags_file, "/proc/kpageflags");
}

bool mthp_can_identify(void)
{
	struct mthp_map map;
	char here = 0;

	mthp_open();
	return !pagemap_open() && !mthp_scan(ALIGN_DOWN((uintptr_t)&here, PAGE_BYTES), 1, &map);
}

/* ---- which pages belong to which folio ---- */

/* Pages [first, end) have consecutive frames, as the pages of a folio have. */
static int mthp_add_row(const uint64_t *entries, unsigned int first, unsigned int end,
			struct mthp_map *out)
{
	uint64_t flags[PAGES_PER_HUGE];
	size_t len_bytes = (end - first) * sizeof(*flags);
	long len = sys(SYS_pread64, atomic_load(&flags_file.fd), flags, len_bytes,
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
			map_set(&out->joined, i);
	}
	return 0;
}

int mthp_scan(uintptr_t addr, unsigned int nr_pages, struct mthp_map *out)
{
	uint64_t entries[PAGES_PER_HUGE];
	int err = pagemap_entries(addr, nr_pages, entries);

	memset(out, 0, sizeof(*out));
	if (!err && atomic_load(&flags_file.fd) < 0)
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
		/* An isolated frame inside the window is order-0 or a split remnant. */
		if (end - first > 1 || !first || end == nr_pages)
			err = mthp_add_row(entries, first, end, out);
	}
	return err;
}

uintptr_t mthp_stop_between(uintptr_t addr, uintptr_t stop, uintptr_t limit)
{
	uintptr_t most = MIN(limit, addr + HUGE_BYTES);
	unsigned int nr = (unsigned int)((most - addr) / PAGE_BYTES);
	unsigned int at = (unsigned int)((stop - addr) / PAGE_BYTES);
	unsigned int folio_start, folio_end;
	struct mthp_map map;

	if (stop >= limit)
		return stop;
	if (mthp_scan(stop - PAGE_BYTES, 2, &map))
		return MIN(most, ALIGN_DOWN(addr, HUGE_BYTES) + HUGE_BYTES);
	if (!map_test(&map.joined, 1) || mthp_scan(addr, nr, &map))
		return stop;
	/* stop is inside a folio: take the whole folio if its end is near enough, else none of it.
	 */
	folio_end = map_next(&map.joined, at, nr, false);
	if (folio_end < nr || most == limit)
		return addr + (uintptr_t)folio_end * PAGE_BYTES;
	for (folio_start = at - 1; folio_start && map_test(&map.joined, folio_start);)
		folio_start--;
	return folio_start ? addr + (uintptr_t)folio_start * PAGE_BYTES : stop;
}
