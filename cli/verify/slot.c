// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/common/common.h"
#include "cli/verify/slot.h"

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

void slot_open(struct actor *actor, char *base)
{
	struct slot *slot = cli_alloc(1, sizeof(*slot));

	slot->base = base;
	slot->generation = random_next(&actor->random);
	slot->fd[0] = slot->fd[1] = -1;
	slot->scratch =
		mmap(NULL, SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slot->scratch == MAP_FAILED) {
		slot->scratch = NULL;
		verify_fail(actor->verify, NULL, "mmap: %s", strerror(errno));
	}
	actor->private = slot;
	slot_renew(slot);
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
