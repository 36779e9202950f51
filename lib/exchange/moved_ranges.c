// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Unregisters windows, and what mremap(2) or a growing stack has registered beside them.
 *
 * Before 6.17 the kernel unregisters memory from whatever userfaultfd watches it, also from one of
 * the program's own. Where the program may have mapped other memory, memory is therefore registered
 * once more before it is unregistered: this changes nothing where it is ours, and fails with EBUSY
 * where it is another's.
 */
#include <errno.h>

#include "base/vault.h"
#include "lib/exchange/exchange.h"
#include "lib/exchange/watcher.h"
#include "lib/nodes/mappings.h"

/* Unregisters what is ours, mapping by mapping. */
static void range_unregister_ours(struct ferry *ferry, uintptr_t start, uintptr_t end,
				  bool spare_vault)
{
	struct mapping mapping;

	while (start < end && !mapping_find(start, &mapping) && mapping.start < end) {
		uintptr_t from = MAX(start, mapping.start), to = MIN(end, mapping.end);

		if (!(spare_vault && vault_overlaps((void *)from, to - from)) &&
		    !uffd_register(ferry->uffd, from, to - from))
			uffd_unregister(ferry->uffd, from, to - from);
		start = mapping.end;
	}
}

static void range_unregister(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	/* The kernel may also refuse to unregister other mappings, and does nothing then. */
	if (changes_overlap(&ferry->watcher->changes, start, end) ||
	    uffd_unregister(ferry->uffd, start, end - start))
		range_unregister_ours(ferry, start, end, false);
}

/*
 * mremap(2) may have carried pages of other windows here while they are in flight, and threads must
 * go on waiting for them. Then the range stays registered until no window is open. An event that is
 * unread may be such a mremap(2). Its caller waits for the watcher, which waits for the gate: so
 * the range is registered again before the caller goes on.
 */
void watcher_unregister(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	struct range_list *moved = &ferry->watcher->moved;
	bool stays;

	gate_shut(&ferry->move_gate);
	stays = range_list_overlaps(moved, start, end);
	if (!stays) {
		range_unregister(ferry, start, end);
		/* What is not the library's any more cannot be registered, and need not be. */
		stays = uffd_has_unread_event(ferry->uffd) &&
			!uffd_register(ferry->uffd, start, end - start);
	}
	if (stays)
		range_list_add(moved, start, end);
	gate_open(&ferry->move_gate);
}

/* ---- beside the windows ---- */

static void watcher_add_moved(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	gate_shut(&ferry->move_gate);
	range_list_add(&ferry->watcher->moved, start, end);
	gate_open(&ferry->move_gate);
}

/* A mapping is registered as a whole or not at all, so what it has beyond the window is too. */
void watcher_note_grown_up(struct ferry *ferry, uintptr_t end)
{
	struct mapping last;

	if (!mapping_find(end - PAGE_BYTES, &last) && last.start < end && last.end > end)
		watcher_add_moved(ferry, end, last.end);
}

void watcher_note_grown_down(struct ferry *ferry, uintptr_t start)
{
	struct mapping first;

	if (!mapping_find(start, &first) && first.start < start)
		watcher_add_moved(ferry, first.start, start);
}

/* A range may itself have grown since. */
static void range_unregister_grown(struct ferry *ferry, uintptr_t start, uintptr_t end)
{
	struct mapping mapping;

	if (!mapping_find(start, &mapping) && mapping.start < start)
		start = mapping.start;
	if (!mapping_find(end - PAGE_BYTES, &mapping) && mapping.start < end)
		end = MAX(end, mapping.end);
	range_unregister_ours(ferry, start, end, true);
}

void watcher_unregister_moved(struct ferry *ferry)
{
	struct range_list *moved = &ferry->watcher->moved;

	if (atomic_load(&moved->nr)) {
		gate_shut(&ferry->move_gate);
		if (moved->full)
			range_unregister_ours(ferry, 0, UINTPTR_MAX, true);
		for (unsigned int i = 0; i < atomic_load(&moved->nr) && !moved->full; i++)
			range_unregister_grown(ferry, moved->range[i].start, moved->range[i].end);
		range_list_clear(moved);
		gate_open(&ferry->move_gate);
	}
	changes_clear(&ferry->watcher->changes);
}
