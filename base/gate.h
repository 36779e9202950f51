/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A gate is a reader-writer lock whose readers share no cache line. Many threads can be inside at a
 * time. Each of them has a door of its own. One thread at a time can shut the gate and have it for
 * itself; any number of threads can bar it, which only keeps others out. A gate lies in vault
 * memory.
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
	atomic_uint shut; /* futex: how many threads bar the gate */
	_Atomic uint64_t shut_since_ns;
	struct futex_lock keeper; /* held by the thread that has shut the gate */
	struct gate_door doors[GATE_DOORS];
};

static inline void gate_leave(struct gate *gate, unsigned int door)
{
	atomic_store_explicit(&gate->doors[door].inside, 0, memory_order_release);
}

/*
 * No two threads use the same door. False: the gate is shut. The store comes before the load for
 * all threads: otherwise neither this thread nor one that shuts the gate would see the other.
 */
static inline bool gate_try_enter(struct gate *gate, unsigned int door)
{
	atomic_store(&gate->doors[door].inside, 1);
	if (!atomic_load(&gate->shut))
		return true;
	gate_leave(gate, door);
	return false;
}

/* Enters, or returns false once the gate has been shut for patience_ns; FUTEX_FOREVER: never. */
static inline bool gate_enter_within(struct gate *gate, unsigned int door, uint64_t patience_ns)
{
	while (!gate_try_enter(gate, door)) {
		unsigned int shut = atomic_load(&gate->shut);
		uint64_t waited_ns = 0;

		if (patience_ns != FUTEX_FOREVER)
			waited_ns = now_ns() - atomic_load(&gate->shut_since_ns);
		if (!shut)
			continue;
		if (waited_ns >= patience_ns)
			return false;
		futex_wait(&gate->shut, shut,
			   patience_ns == FUTEX_FOREVER ? FUTEX_FOREVER : patience_ns - waited_ns);
	}
	return true;
}

/* Waits while the gate is shut, then enters. */
static inline void gate_enter(struct gate *gate, unsigned int door)
{
	(void)gate_enter_within(gate, door, FUTEX_FOREVER);
}

/* A hint for a thread that is inside. */
static inline bool gate_is_shut(struct gate *gate)
{
	return atomic_load_explicit(&gate->shut, memory_order_relaxed);
}

/* From now on no thread enters. Threads may still be inside: see gate_await_leavers(). */
static inline void gate_bar(struct gate *gate)
{
	/* Where two threads bar and unbar at once the time may be too old, which is harmless. */
	if (!atomic_load(&gate->shut))
		atomic_store(&gate->shut_since_ns, now_ns());
	atomic_fetch_add(&gate->shut, 1);
}

/* For a thread that has barred the gate. The last one lets others in. */
static inline void gate_unbar(struct gate *gate)
{
	if (atomic_fetch_sub(&gate->shut, 1) == 1)
		futex_wake(&gate->shut, UINT32_MAX);
}

/* Waits until no thread is inside. */
static inline void gate_await_leavers(struct gate *gate)
{
	for (unsigned int i = 0; i < GATE_DOORS; i++) {
		for (unsigned int spins = 0; atomic_load(&gate->doors[i].inside); spins++) {
			if (spins < GATE_SPINS)
				cpu_relax();
			else
				step_aside(spins - GATE_SPINS);
		}
	}
}

/* Shuts the gate and waits until no thread is inside. None enters before gate_open(). */
static inline void gate_shut(struct gate *gate)
{
	futex_lock(&gate->keeper);
	gate_bar(gate);
	gate_await_leavers(gate);
}

/* For the thread that has shut the gate. */
static inline void gate_open(struct gate *gate)
{
	gate_unbar(gate);
	futex_unlock(&gate->keeper);
}

#endif
