/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ranges of registered memory in which the program has unmapped something since the first window
 * was registered. It may have mapped other memory there, which is not registered, or registered
 * with a userfaultfd of the program's own.
 */
#ifndef FERRY_CHANGES_H
#define FERRY_CHANGES_H

#include "base/base.h"
#include "base/futex.h"

struct changes {
	struct futex_lock lock;
	bool everywhere; /* more ranges than the list holds */
	unsigned int nr;
	struct {
		uintptr_t start, end;
	} range[64];
};

void changes_note(struct changes *changes, uintptr_t start, uintptr_t end);
bool changes_overlap(struct changes *changes, uintptr_t start, uintptr_t end);
/* No window is open. */
void changes_clear(struct changes *changes);

#endif
