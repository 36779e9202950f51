/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The main part of the area: writers' counters, and words with a pattern. */
#ifndef MIGBENCH_VERIFY_WORDS_H
#define MIGBENCH_VERIFY_WORDS_H

#include "cli/verify/run.h"

void words_open(struct verify *verify);
void words_close(struct verify *verify);

/*
 * Checks all words. Counters must equal verify->counters; with floors, they must not be below
 * floors[writer][page]. Accesses only its arguments, so that a forked child can call it.
 */
bool words_check(const struct verify *verify, uint32_t *const *floors, struct mismatch *bad);

/* Updates counters of this writer many times; before each update, checks that none was lost. */
bool writer_step(struct actor *actor);

#endif
