/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A gate that many threads pass at a time, each by its own door, and that one thread can shut: a
 * reader-writer lock whose readers share no cache line. Lives in vault memory.
 */
#ifndef FERRY_GATE_H
#define FERRY_GATE_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/futex.h"
#include "base/wait.h"

#define GATE_DOORS 64

struct gate_door {
	atomic_uint inside;
} __cacheline_aligned;

struct gate {
	atomic_uint shut; /* futex */
	struct futex_lock keeper;
	struct gate_door doors[GATE_DOORS];
};

static inline void gate_enter(struct gate *gate, unsigned int door)
{
	atomic_uint *inside = &gate->doors[door].inside;

	for (;;) {
		atomic_store(inside, 1);
		if (!atomic_load(&gate->shut))
			return;
		atomic_store(inside, 0);
		while (atomic_load(&gate->shut))
			futex_wait(&gate->shut, 1, FUTEX_FOREVER);
	}
}

static inline void gate_leave(struct gate *gate, unsigned int door)
{
	atomic_store_explicit(&gate->doors[door].inside, 0, memory_order_release);
}

/* Shuts the gate and waits until nobody is inside. */
static inline void gate_shut(struct gate *gate)
{
	futex_lock(&gate->keeper);
	atomic_store(&gate->shut, 1);
	for (unsigned int i = 0; i < GATE_DOORS; i++) {
		for (unsigned int spins = 0; atomic_load(&gate->doors[i].inside); spins++) {
			if (spins < 200)
				cpu_relax();
			else
				step_aside(spins - 200);
		}
	}
}

static inline void gate_open(struct gate *gate)
{
	atomic_store(&gate->shut, 0);
	futex_wake(&gate->shut, UINT32_MAX);
	futex_unlock(&gate->keeper);
}

#endif
