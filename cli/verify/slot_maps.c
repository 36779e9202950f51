// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cli/verify/slot.h"
#include "cli/verify/slot_maps.h"

static bool slot_failed(struct actor *actor, const char *call)
{
	verify_fail(actor->verify, NULL, "%s: %s", call, strerror(errno));
	return false;
}

/* Another mapping is there now: the area must not unmap it at the end. */
static void slot_lose(struct actor *actor)
{
	struct verify *verify = actor->verify;
	const struct slot *slot = actor->private;
	long index = (slot->base - verify_slots(verify)) / (long)SLOT_BYTES;

	atomic_fetch_or(&verify->lost_slots, 1U << index);
}

/*
 * Maps the hole where the slot was. Another thread may have mapped something there before; this
 * actor then stops. Returns 0, 1 (stop) or -1 (failed).
 */
static int slot_map_hole(struct actor *actor, int prot)
{
	struct slot *slot = actor->private;
	void *at = mmap(slot->base, SLOT_BYTES, prot,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (at == slot->base)
		return 0;
	slot_lose(actor);
	if (at != MAP_FAILED)
		munmap(at, SLOT_BYTES);
	else if (errno != EEXIST)
		return slot_failed(actor, "mmap"), -1;
	return 1;
}

bool slot_munmap(struct actor *actor)
{
	struct slot *slot = actor->private;

	if (!slot_check(actor, slot->base, "moving"))
		return false;
	if (munmap(slot->base, SLOT_BYTES))
		return slot_failed(actor, "munmap");
	if (slot_map_hole(actor, PROT_READ | PROT_WRITE))
		return false;
	slot_renew(slot);
	return slot_check(actor, slot->base, "munmap and mmap");
}

bool slot_mprotect(struct actor *actor)
{
	struct slot *slot = actor->private;

	if (mprotect(slot->base, SLOT_BYTES, PROT_READ))
		return slot_failed(actor, "mprotect");
	if (!slot_check(actor, slot->base, "mprotect to read-only"))
		return false;
	if (mprotect(slot->base, SLOT_BYTES, PROT_NONE) ||
	    mprotect(slot->base, SLOT_BYTES, PROT_READ | PROT_WRITE))
		return slot_failed(actor, "mprotect");
	if (!slot_check(actor, slot->base, "mprotect to none and back"))
		return false;
	slot_renew(slot);
	return true;
}

/* The destination of a remap is PROT_NONE: it is readable where a page has arrived. */
static bool page_is_readable(char *to)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {to, 1};

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1;
}

/*
 * Remaps what a failed mremap(2) left behind, page by page, since a page never spans two
 * mappings. It leaves the old addresses of moved pages alone: another thread may have mapped them.
 */
static bool slot_remap_rest(struct actor *actor, char *from, char *to)
{
	for (size_t at = 0; at < SLOT_BYTES; at += PAGE_BYTES) {
		if (page_is_readable(to + at))
			continue;
		if (mremap(from + at, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
			   to + at) == MAP_FAILED)
			return slot_failed(actor, "mremap of a page");
	}
	return true;
}

/*
 * Registering part of a mapping with a userfaultfd splits it, and mremap(2) of several mappings
 * fails with EFAULT; since Linux 6.17, after it has moved some of them. The failures are counted.
 */
static bool slot_remap(struct actor *actor, char *from, char *to)
{
	if (mremap(from, SLOT_BYTES, SLOT_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED)
		return true;
	if (errno != EFAULT)
		return slot_failed(actor, "mremap");
	verify_count(actor->verify, TALLY_MREMAP_EFAULTS, 1);
	return slot_remap_rest(actor, from, to);
}

/*
 * Remaps to a scratch address and back. The address is new each time: once the slot has left it,
 * another thread may map something there.
 */
bool slot_mremap(struct actor *actor)
{
	struct slot *slot = actor->private;
	char *scratch = mmap(NULL, SLOT_BYTES, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (scratch == MAP_FAILED)
		return slot_failed(actor, "mmap");
	if (!slot_remap(actor, slot->base, scratch) || slot_map_hole(actor, PROT_NONE))
		return false;
	if (!slot_check(actor, (uint64_t *)scratch, "mremap"))
		return false;
	if (!slot_remap(actor, scratch, slot->base))
		return false;
	if (!slot_check(actor, slot->base, "mremap there and back"))
		return false;
	slot_renew(slot);
	return true;
}

bool slot_discard(struct actor *actor)
{
	struct slot *slot = actor->private;
	const volatile uint64_t *words = (const volatile uint64_t *)slot->base;

	if (madvise(slot->base, SLOT_BYTES, MADV_DONTNEED))
		return slot_failed(actor, "madvise");
	for (size_t i = 0; i < SLOT_WORDS; i++) {
		uint64_t found = words[i];
		struct mismatch bad = {(const uint64_t *)&words[i], 0, found};

		if (!found)
			continue;
		verify_fail(actor->verify, &bad, "discarded memory came back");
		return false;
	}
	slot_renew(slot);
	return slot_check(actor, slot->base, "madvise(MADV_DONTNEED)");
}
