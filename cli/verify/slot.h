/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A slot: 2 MiB of the area that one thread owns, with content that it can check. */
#ifndef MIGBENCH_VERIFY_SLOT_H
#define MIGBENCH_VERIFY_SLOT_H

#include "cli/verify/run.h"

#define SLOT_WORDS (SLOT_BYTES / sizeof(uint64_t))

struct slot {
	char *base;
	uint64_t generation; /* of the content */
	uint64_t *scratch;   /* SLOT_BYTES, outside of the area */
	int fd[2];           /* -1 */
};

/* Makes a slot at base, with content, in actor->private. slot_close() frees it. */
void slot_open(struct actor *actor, char *base);
void slot_close(struct actor *actor);

/* Fills the slot with the content of the next generation. */
void slot_renew(struct slot *slot);
/* Writes the content of the current generation to other memory. */
void slot_content(const struct slot *slot, uint64_t *to);
/* Does memory (the slot itself, or where its content went) hold the current generation's content?
 */
bool slot_check(struct actor *actor, const void *memory, const char *after);

#endif
