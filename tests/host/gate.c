// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The gate's promise, as a litmus test: a thread that is inside and a thread that has shut the gate
 * never see each other. A processor may delay a store behind a later load. Without the fence
 * between the store to a door and the load of `shut`, both threads get in within some thousand
 * rounds on a machine with two processors.
 *
 * Each round begins for both threads at the same moment. Before that each of them reads what it
 * will read in the round, so that the loads are fast and the other thread's stores are slow.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/gate.h"
#include "tests/testlib/tap.h"

#define NR_ROUNDS 300000
#define NR_LOOKS  64
#define NR_DELAYS 256
#define DOOR      0

static struct gate gate;
static _Alignas(64) atomic_uint is_mine; /* set by the thread that has shut the gate */
static _Alignas(64) atomic_uint round_of_reader;
static _Alignas(64) atomic_uint round_of_shutter;
static atomic_uint nr_entered, nr_met;

/* Waits for the other thread, and gives the CPU away if that does not run. */
static void meet(atomic_uint *mine, atomic_uint *other, unsigned int round, unsigned int delay)
{
	unsigned int spins = 0;

	atomic_store(mine, round);
	while (atomic_load_explicit(other, memory_order_acquire) < round)
		if (++spins % 1000 == 0)
			sched_yield();
	while (delay--)
		atomic_load_explicit(mine, memory_order_relaxed);
}

static void *enter_often(void *arg __maybe_unused)
{
	for (unsigned int round = 1; round <= NR_ROUNDS; round++) {
		atomic_load(&gate.shut);
		meet(&round_of_reader, &round_of_shutter, round, round % NR_DELAYS);
		if (!gate_try_enter(&gate, DOOR))
			continue;
		atomic_fetch_add_explicit(&nr_entered, 1, memory_order_relaxed);
		for (unsigned int look = 0; look < NR_LOOKS; look++)
			if (atomic_load_explicit(&is_mine, memory_order_relaxed))
				atomic_fetch_add(&nr_met, 1);
		gate_leave(&gate, DOOR);
	}
	return NULL;
}

static void *shut_often(void *arg __maybe_unused)
{
	for (unsigned int round = 1; round <= NR_ROUNDS; round++) {
		atomic_load(&gate.doors[DOOR].inside);
		meet(&round_of_shutter, &round_of_reader, round, 0);
		gate_shut(&gate);
		atomic_store_explicit(&is_mine, 1, memory_order_relaxed);
		for (unsigned int look = 0; look < NR_LOOKS; look++)
			atomic_load_explicit(&is_mine, memory_order_relaxed);
		atomic_store_explicit(&is_mine, 0, memory_order_release);
		gate_open(&gate);
	}
	return NULL;
}

static void threads_meet_at_gate(void)
{
	pthread_t reader, shutter;

	pthread_create(&reader, NULL, enter_often, NULL);
	pthread_create(&shutter, NULL, shut_often, NULL);
	pthread_join(reader, NULL);
	pthread_join(shutter, NULL);
	tap_note("shut %u times, inside %u times, both %u times", NR_ROUNDS, nr_entered, nr_met);
	tap_ok(nr_entered && !nr_met, "no thread is inside a gate that is shut");
}

/* ---- one thread ---- */

static void bars_are_counted(void)
{
	gate_bar(&gate);
	gate_bar(&gate);
	gate_unbar(&gate);
	tap_ok(!gate_try_enter(&gate, 3), "a gate with two bars is shut until both are lifted");
	tap_ok(!gate_enter_within(&gate, 3, 1000), "patience ends at a gate that stays barred");
	gate_unbar(&gate);
	tap_ok(gate_enter_within(&gate, 3, 1000), "and then the gate is open");
	gate_leave(&gate, 3);
}

int main(void)
{
	tap_plan(4);
	bars_are_counted();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		tap_skip("one processor", "no thread is inside a gate that is shut");
	else
		threads_meet_at_gate();
	return tap_done();
}
