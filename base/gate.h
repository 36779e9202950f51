/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A gate is a reader-writer lock whose readers share no cache line. Many threads can be inside at a
 * time. Each of them has a door of its own. One thread at a time can shut the gate. A gate lies in
 * vault memory.
 */
#ifndef FERRY_GATE_H
#define FERRY_GATE_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/futex.h"
#include "base/wait.h"

#define GATE_DOORS 64

/*
 * How often gate_shut() looks at a door before it gives up its CPU. Increasing this shuts the gate
 * sooner while the thread inside runs; decreasing it costs less CPU time while that thread has been
 * preempted.
 */
#define GATE_SPINS 200

struct gate_door {
	atomic_uint inside;
} __cacheline_aligned;

struct gate {
	atomic_uint shut; /* futex */
	struct futex_lock keeper;
	struct gate_door doors[GATE_DOORS];
};

/* Waits while the gate is shut, then enters. No two threads use the same door. */
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

/* Shuts the gate and waits until no thread is inside. None enters before gate_open(). */
static inline void gate_shut(struct gate *gate)
{
	futex_lock(&gate->keeper);
	atomic_store(&gate->shut, 1);
	for (unsigned int i = 0; i < GATE_DOORS; i++) {
		for (unsigned int spins = 0; atomic_load(&gate->doors[i].inside); spins++) {
			if (spins < GATE_SPINS)
				cpu_relax();
			else
				step_aside(spins - GATE_SPINS);
		}
	}
}

/* For the thread that has shut the gate. */
static inline void gate_open(struct gate *gate)
{
	atomic_store(&gate->shut, 0);
	futex_wake(&gate->shut, UINT32_MAX);
	futex_unlock(&gate->keeper);
}

#endif
