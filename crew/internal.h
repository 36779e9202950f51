/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the crew's own files share. */
#ifndef FERRY_CREW_INTERNAL_H
#define FERRY_CREW_INTERNAL_H

#include <time.h>

#include "base/futex.h"
#include "base/thread.h"
#include "crew/crew.h"
#include "crew/spread.h"

/* An idle worker looks around for this long where sleeping would have been as short. */
#define SPIN_MAX_NS 30000
/* Between two looks at the clock. */
#define SPIN_TURNS 32

/*
 * Sleepers by the CPU they are bound to, as bits of a futex. Who works itself leaves those asleep
 * that would have to wait for its own CPU.
 */
#define SLEEPS_ANYWHERE (1U << 31)
#define SLEEPS_ON(cpu)  (1U << ((unsigned int)(cpu) % 31))
#define ALL_SLEEPERS    UINT_MAX

struct worker {
	struct crew *crew;
	struct thread thread;
	clockid_t cpu_clock;
	uint64_t spin_ns;
	int cpu;          /* spread_leave's; -1 none */
	atomic_int bound; /* to that CPU alone; -1 to none */
	atomic_int tid;
	bool boosted;
	struct place place;
};

struct crew {
	/* Written all the time. */
	struct futex_lock lock;
	struct crew_task *head, *tail;
	bool closing;
	/* The idle worker that wakes when the next delayed task is due; NULL if none has to. */
	const struct worker *timekeeper;
	uint64_t timekeeper_due_ns;
	atomic_uint nr_idle;
	__cacheline_aligned atomic_uint nr_posts; /* futex of idle workers */
	atomic_uint nr_sleeping;
	_Atomic uint64_t posted_ns; /* when the latest was */
	atomic_uint warmest;        /* as a sleeper: who went to sleep last */
	__cacheline_aligned struct spread spread;

	/* Set once. */
	__cacheline_aligned unsigned int nr_workers;
	unsigned int nr_cpus; /* that workers can run on */
	bool bind;
	atomic_bool boost;
	size_t len_bytes; /* of this allocation */
	struct worker workers[];
};

/* What a worker learns when it looks for a task. */
struct crew_outlook {
	bool closing;
	unsigned int more; /* sleepers that are wanted too, as bits; 0 none */
	bool rouse;        /* those about to sleep must look again as well */
	uint64_t due_ns;   /* the worker may sleep until then at most */
};

/*
 * tasks.c. A worker joins the task that wants it most, NULL if none does, and says when it leaves
 * whether it left work behind. Whoever leaves last hands the task back to its owner, who may free
 * it at once.
 */
struct crew_task *crew_join(struct crew *crew, const struct worker *worker,
			    struct crew_outlook *outlook);
void crew_leave(struct crew *crew, struct crew_task *task, bool more);
/* Wakes sleepers; crew_rouse also tells those that are about to sleep. */
void crew_wake(struct crew *crew, unsigned int nr_workers, unsigned int sleepers);
void crew_rouse(struct crew *crew, unsigned int nr_workers, unsigned int sleepers);

/* worker.c: a worker's life. arg: its struct worker. */
void *crew_worker_main(void *arg);

#endif
