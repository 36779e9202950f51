// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a program may do to its mappings while their pages move. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cli/common/common.h"
#include "cli/verify/internal.h"

#define SLOT_WORDS (SLOT_BYTES / sizeof(uint64_t))

static uint64_t slot_seed(const struct slot *slot)
{
	return slot->generation * 0x2545f4914f6cdd1dULL;
}

void slot_content(const struct slot *slot, uint64_t *to)
{
	for (size_t i = 0; i < SLOT_WORDS; i++)
		to[i] = area_word(slot_seed(slot), i);
}

void slot_renew(struct slot *slot)
{
	slot->generation++;
	slot_content(slot, (uint64_t *)slot->base);
}

bool slot_check(struct actor *actor, const void *memory, const char *after)
{
	const struct slot *slot = actor->private;
	const volatile uint64_t *words = memory;

	for (size_t i = 0; i < SLOT_WORDS; i++) {
		uint64_t found = words[i], expected = area_word(slot_seed(slot), i);
		struct mismatch bad = {(const uint64_t *)&words[i], expected, found};

		if (found == expected)
			continue;
		verify_fail(actor->verify, &bad, "wrong byte after %s", after);
		return false;
	}
	return true;
}

void slot_close(struct actor *actor)
{
	struct slot *slot = actor->private;

	if (!slot)
		return;
	for (unsigned int i = 0; i < 2; i++) {
		if (slot->fd[i] >= 0)
			close(slot->fd[i]);
	}
	if (slot->scratch)
		munmap(slot->scratch, SLOT_BYTES);
	free(slot);
	actor->private = NULL;
}

static bool failed(struct actor *actor, const char *call)
{
	verify_fail(actor->verify, NULL, "%s: %s", call, strerror(errno));
	return false;
}

/* What is mapped there now is not ours to unmap at the end. */
static void slot_lose(struct actor *actor)
{
	struct verify *verify = actor->verify;
	const struct slot *slot = actor->private;
	char *slots = verify->area.base + (size_t)verify->nr_main_pages * PAGE_BYTES;

	atomic_fetch_or(&verify->lost_slots, 1U << ((slot->base - slots) / (long)SLOT_BYTES));
}

/*
 * Maps the hole where the slot was. Another thread's mapping may have been put there meanwhile;
 * this actor then retires rather than destroy it. Returns 0, 1 (retire) or -1 (failed).
 */
static int fill_hole(struct actor *actor, int prot)
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
		return failed(actor, "mmap"), -1;
	return 1;
}

static bool step_munmap(struct actor *actor)
{
	struct slot *slot = actor->private;

	if (!slot_check(actor, slot->base, "moving"))
		return false;
	if (munmap(slot->base, SLOT_BYTES))
		return failed(actor, "munmap");
	if (fill_hole(actor, PROT_READ | PROT_WRITE))
		return false;
	slot_renew(slot);
	return slot_check(actor, slot->base, "munmap and mmap");
}

static bool step_mprotect(struct actor *actor)
{
	struct slot *slot = actor->private;

	if (mprotect(slot->base, SLOT_BYTES, PROT_READ))
		return failed(actor, "mprotect");
	if (!slot_check(actor, slot->base, "mprotect to read-only"))
		return false;
	if (mprotect(slot->base, SLOT_BYTES, PROT_NONE) ||
	    mprotect(slot->base, SLOT_BYTES, PROT_READ | PROT_WRITE))
		return failed(actor, "mprotect");
	if (!slot_check(actor, slot->base, "mprotect to none and back"))
		return false;
	slot_renew(slot);
	return true;
}

/* The place to remap to is mapped without access until something has arrived. */
static bool has_arrived(char *to)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {to, 1};

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1;
}

/*
 * What a refused mremap(2) has left behind, a page at a time: one page is never two mappings. Where
 * a page has left, some other thread's mapping may be by now.
 */
static bool remap_rest(struct actor *actor, char *from, char *to)
{
	for (size_t at = 0; at < SLOT_BYTES; at += PAGE_BYTES) {
		if (has_arrived(to + at))
			continue;
		if (mremap(from + at, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
			   to + at) == MAP_FAILED)
			return failed(actor, "mremap of a page");
	}
	return true;
}

/*
 * While the library watches a part of a mapping it is two mappings, and mremap(2) of several is
 * EFAULT; Linux 6.17 and later carry some of them over before they say so. That is counted.
 */
static bool remap(struct actor *actor, char *from, char *to)
{
	if (mremap(from, SLOT_BYTES, SLOT_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED)
		return true;
	if (errno != EFAULT)
		return failed(actor, "mremap");
	verify_count(actor->verify, TALLY_REFUSED, 1);
	return remap_rest(actor, from, to);
}

/*
 * To a scratch place and back. The place is a new one each time: once the slot has left it, another
 * thread's mapping may be there.
 */
static bool step_mremap(struct actor *actor)
{
	struct slot *slot = actor->private;
	char *scratch = mmap(NULL, SLOT_BYTES, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (scratch == MAP_FAILED)
		return failed(actor, "mmap");
	if (!remap(actor, slot->base, scratch) || fill_hole(actor, PROT_NONE))
		return false;
	if (!slot_check(actor, (uint64_t *)scratch, "mremap"))
		return false;
	if (!remap(actor, scratch, slot->base))
		return false;
	if (!slot_check(actor, slot->base, "mremap there and back"))
		return false;
	slot_renew(slot);
	return true;
}

static bool step_discard(struct actor *actor)
{
	struct slot *slot = actor->private;
	const volatile uint64_t *words = (const volatile uint64_t *)slot->base;

	if (madvise(slot->base, SLOT_BYTES, MADV_DONTNEED))
		return failed(actor, "madvise");
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

const struct slot_kind slot_kinds[] = {
	{"munmap", step_munmap, TALLY_MUNMAPS}, {"mprotect", step_mprotect, TALLY_MPROTECTS},
	{"mremap", step_mremap, TALLY_MREMAPS}, {"discard", step_discard, TALLY_DISCARDS},
	{"direct", slot_direct, TALLY_DIRECTS}, {"vm", slot_vm, TALLY_VMS},
	{"pipe", slot_pipe, TALLY_PIPES},
};

const unsigned int nr_slot_kinds = ARRAY_SIZE(slot_kinds);
