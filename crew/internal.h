/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to crew/: shared by its files. */
#ifndef FERRY_CREW_INTERNAL_H
#define FERRY_CREW_INTERNAL_H

#include <time.h>

#include "base/futex.h"
#include "base/thread.h"
#include "crew/crew.h"
#include "crew/spread.h"

/*
 * The longest time that an idle worker spins before it sleeps. Increasing this makes workers join
 * the next task sooner if it follows within that time; decreasing it saves CPU time.
 */
#define SPIN_MAX_NS 30000
/* Polls between two reads of the clock. Increasing this overruns the limit by more. */
#define SPIN_TURNS 32

/*
 * Sleeping workers by the CPU that they are bound to, as the bits of a futex wait. A busy thread
 * wakes no worker bound to its own CPU: that worker would wait for the CPU.
 */
#define SLEEPS_ANYWHERE (1U << 31)
#define SLEEPS_ON(cpu)  (1U << ((unsigned int)(cpu) % 31))
#define ALL_SLEEPERS    UINT_MAX

struct worker {
	struct crew *crew;
	struct thread thread;
	clockid_t cpu_clock;
	uint64_t spin_ns;
	int cpu;          /* where it is counted as a user, for spread_leave; -1: nowhere */
	atomic_int bound; /* the one CPU that it is bound to; -1: not bound to one */
	atomic_int tid;
	bool boosted;
	struct place place;
};

struct crew {
	/* Written often. */
	struct futex_lock lock;
	struct crew_task *head, *tail;
	struct crew_task *parked_head, *parked_tail;
	bool closing;
	/* The idle worker whose sleep ends when the next delayed task is due, or NULL. */
	const struct worker *timekeeper;
	uint64_t timekeeper_due_ns;
	atomic_uint nr_idle;
	__cacheline_aligned atomic_uint nr_posts; /* futex of idle workers */
	atomic_uint nr_sleeping;
	_Atomic uint64_t posted_ns; /* time of the latest post */
	atomic_uint last_sleeper;   /* SLEEPS_ON bit of the worker that went to sleep last */
	__cacheline_aligned struct spread spread;

	/* Constant after crew_open, except boost. */
	__cacheline_aligned unsigned int nr_workers;
	unsigned int nr_cpus; /* that workers can run on */
	bool bind;            /* false for a synthetic topology, whose CPUs do not exist */
	atomic_bool boost;
	size_t len_bytes; /* of this allocation */
	struct worker workers[];
};

/* What a worker has to do besides the task that it joins, or instead of one. */
struct crew_outlook {
	bool closing;          /* exit */
	unsigned int sleepers; /* wake some of these, as SLEEPS_ON bits; 0: none */
	bool announce;         /* wake them by crew_announce */
	uint64_t due_ns;       /* sleep until then at most */
};

/*
 * tasks.c. crew_join returns the task to work on, or NULL if none wants this worker. more: work()'s
 * result. The worker that leaves last hands the task back to its owner, who may free it at once.
 */
struct crew_task *crew_join(struct crew *crew, const struct worker *worker,
			    struct crew_outlook *outlook);
void crew_leave(struct crew *crew, struct crew_task *task, bool more);
/*
 * Both wake up to nr_workers of these sleepers. crew_announce also counts as a post, so that
 * workers about to sleep look at the queue again.
 */
void crew_wake(struct crew *crew, unsigned int nr_workers, unsigned int sleepers);
void crew_announce(struct crew *crew, unsigned int nr_workers, unsigned int sleepers);

/* worker.c: the main function of a worker thread. arg: its struct worker. */
void *crew_worker_main(void *arg);

#endif
