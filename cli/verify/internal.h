/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migbench verify: moves pages while others use them in every way, and checks every byte.
 *
 * The area has two parts. In the main part every writer owns words in every page, each a counter
 * that only it raises; it remembers the counters outside of the moved memory and looks before each
 * update. All other words have a pattern. The second part are slots of 2 MiB, each owned by one
 * thread that unmaps, protects, remaps it, reads files into it, and so on.
 */
#ifndef MIGBENCH_VERIFY_H
#define MIGBENCH_VERIFY_H

#include <pthread.h>
#include <stdatomic.h>

#include "cli/area/area.h"
#include "cli/args/args.h"
#include "pageferry.h"

struct verify_options {
	struct output_options output;
	struct text_list movers, with;
	struct uint_list folios, chunks;
	const char *engine, *dir;
	uint64_t total_bytes, time_ns, nr_writers, nr_requesters, seed;
	int from, to; /* -1: chosen */
	bool fresh, stats;
};

extern struct verify_options verify_options;

/* What was done, counted. Some are bumped by many threads. */
enum tally {
	TALLY_REQUESTS,
	TALLY_PAGES,
	TALLY_EXCHANGED,
	TALLY_KERNEL,
	TALLY_NOT_MOVED,
	TALLY_UPDATES,
	TALLY_CANCELLED,
	TALLY_FORKS,
	TALLY_MUNMAPS,
	TALLY_MPROTECTS,
	TALLY_MREMAPS,
	TALLY_REFUSED,
	TALLY_DISCARDS,
	TALLY_DIRECTS,
	TALLY_VMS,
	TALLY_PIPES,
	NR_TALLIES,
};

#define WRITERS_MAX    16
#define REQUESTERS_MAX 16
#define THREADS_MAX    (WRITERS_MAX + REQUESTERS_MAX + 16)
#define SLOT_BYTES     HUGE_BYTES
#define PAGE_WORDS     (PAGE_BYTES / sizeof(uint64_t))

struct failure {
	atomic_bool set;
	char what[160];
	bool has_word;
	struct mismatch word;
};

struct verify;

/* A thread of the run: does one step again and again until the phase ends. */
struct actor {
	const char *name;
	/* False: this actor can't go on (with a failure recorded, or not: it just retires). */
	bool (*step)(struct actor *actor);
	void (*close)(struct actor *actor); /* may be NULL; runs after the last step */
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

	/* of this phase */
	struct area area;
	uint32_t nr_main_pages;
	atomic_uint lost_slots; /* bit per slot whose place somebody else's mapping has taken */
	enum folio_kind kind;
	unsigned int nr_turns;
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

/* Records the first failure; the run ends. word may be NULL. */
void verify_fail(struct verify *verify, const struct mismatch *word, const char *fmt, ...)
	__printf(3, 4);

struct actor *verify_add_actor(struct verify *verify, const char *name,
			       bool (*step)(struct actor *), unsigned int index);

/* 0, or -errno if it could not be run; what was found wrong is in verify->failure. */
int verify_phase(struct verify *verify, size_t folio_bytes, uint64_t phase_ns);

/* verify_words.c: the main part. */
bool word_owned(const struct verify *verify, size_t index, unsigned int *writer);
uint64_t word_of_writer(unsigned int writer, uint32_t page, uint32_t counter);
size_t word_index(const struct verify *verify, unsigned int writer, uint32_t page);
void words_open(struct verify *verify);
void words_close(struct verify *verify);
/*
 * Checks all of the main part: exact counters, or (floors given) counters that are not below
 * floors[writer][page]. Touches nothing but its arguments, so a forked child can call it.
 */
bool words_check(const struct verify *verify, uint32_t *const *floors, struct mismatch *bad);
bool writer_step(struct actor *actor);

/* verify_request.c */
bool requester_step(struct actor *actor);
void requester_close(struct actor *actor);

/* verify_fork.c */
bool fork_step(struct actor *actor);
void fork_close(struct actor *actor);

/* verify_slot.c, verify_io.c: what can be done to a slot. */
struct slot_kind {
	const char *name;
	bool (*step)(struct actor *actor);
	enum tally tally;
};

extern const struct slot_kind slot_kinds[];
extern const unsigned int nr_slot_kinds;

struct slot {
	char *base;
	uint64_t generation; /* its content */
	uint64_t *scratch;   /* SLOT_BYTES, outside of the area */
	int fd[2];           /* -1 */
};

/* Fills with the next generation. */
void slot_renew(struct slot *slot);
/* The content of the present generation, in any memory. */
void slot_content(const struct slot *slot, uint64_t *to);
/* Checks memory (the slot itself, or where it went) against its generation. */
bool slot_check(struct actor *actor, const void *memory, const char *after);
void slot_close(struct actor *actor);

bool slot_direct(struct actor *actor);
bool slot_vm(struct actor *actor);
bool slot_pipe(struct actor *actor);

#endif
