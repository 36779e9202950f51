/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the threads of a run share.
 *
 * The area has two parts. In the main part every writer owns a word in every page, a counter that
 * only this writer raises. The writer keeps a copy of its counters outside of the moved memory and
 * compares before each update. All other words hold a pattern. The second part consists of slots of
 * 2 MiB. Each slot has one thread that unmaps, protects and remaps it, reads files into it, and so
 * on.
 */
#ifndef MIGBENCH_VERIFY_RUN_H
#define MIGBENCH_VERIFY_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "cli/area/area.h"
#include "cli/verify/options.h"
#include "pageferry.h"

/* Counts of what was done. */
enum tally {
	TALLY_REQUESTS,
	TALLY_PAGES,
	TALLY_EXCHANGED,
	TALLY_KERNEL,
	TALLY_NOT_MOVED,
	TALLY_UPDATES,
	TALLY_CUT_SHORT, /* cancelled, or past the deadline */
	TALLY_FORKS,
	TALLY_MUNMAPS,
	TALLY_MPROTECTS,
	TALLY_MREMAPS,
	TALLY_MREMAP_EFAULTS,
	TALLY_DISCARDS,
	TALLY_DIRECTS,
	TALLY_VMS,
	TALLY_PIPES,
	NR_TALLIES,
};

#define THREADS_MAX (WRITERS_MAX + REQUESTERS_MAX + 16)
#define SLOT_BYTES  HUGE_BYTES
#define PAGE_WORDS  (PAGE_BYTES / sizeof(uint64_t))

struct failure {
	atomic_bool set;
	char what[160];
	bool has_word;
	struct mismatch word;
};

struct verify;

/* A thread of the run. It repeats one step until the phase ends. */
struct actor {
	const char *name;
	/* False: this actor stops, after verify_fail() or because it cannot do its step here. */
	bool (*step)(struct actor *actor);
	void (*close)(struct actor *actor); /* runs after the last step; may be NULL */
	struct verify *verify;
	unsigned int index; /* among its kind */
	uint64_t random;    /* state */
	void *private;
	pthread_t thread;
	atomic_ullong nr_steps;
	atomic_bool ended;
};

struct verify {
	struct ferry *ferry;
	int node[2];
	bool fresh;
	unsigned int nr_workers; /* of the context */

	/* of the current phase */
	struct area area;
	uint32_t nr_main_pages;
	atomic_uint lost_slots; /* bit per slot whose address another thread's mapping has taken */
	enum folio_kind kind;
	unsigned int nr_phases; /* so far */
	uint64_t seed;
	uint32_t *counters[WRITERS_MAX]; /* what each writer's word in each page holds */
	struct actor actors[THREADS_MAX];
	unsigned int nr_actors;
	atomic_bool ending;

	atomic_ullong tally[NR_TALLIES];
	struct failure failure;
};

static inline void verify_count(struct verify *verify, enum tally tally, uint64_t nr)
{
	atomic_fetch_add_explicit(&verify->tally[tally], nr, memory_order_relaxed);
}

/* Where the slots begin. */
static inline char *verify_slots(const struct verify *verify)
{
	return verify->area.base + (size_t)verify->nr_main_pages * PAGE_BYTES;
}

/* Records the first failure and ends the run. word may be NULL. */
void verify_fail(struct verify *verify, const struct mismatch *word, const char *fmt, ...)
	__printf(3, 4);

struct actor *verify_add_actor(struct verify *verify, const char *name,
			       bool (*step)(struct actor *), unsigned int index);

/* A random number below limit. */
uint64_t actor_random(struct actor *actor, uint64_t limit);

#endif
