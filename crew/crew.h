/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The crew is a pool of persistent worker threads, spread over the L3 domains of the machine. Idle
 * workers sleep on a futex. A task that is posted wakes them, and they join it. The exchange mover
 * uses workers as lanes, the CPU engine uses them to copy in parallel.
 *
 * The stacks and thread-local storage of workers, and the crew's own memory, lie in the vault.
 * Workers block every signal. All functions are thread-safe unless they say otherwise.
 */
#ifndef FERRY_CREW_H
#define FERRY_CREW_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/base.h"
#include "crew/placement.h"

struct crew;

/*
 * Work that several threads can share. The owner allocates the task: in vault memory if pages may
 * be in flight while it runs. Any number of tasks may be posted at a time. An idle worker joins the
 * oldest task without any thread at work; if there is none, the oldest that wants more workers.
 */
struct crew_task {
	/*
	 * Runs in every thread that joins; the thread leaves the task when it returns. False: there
	 * is no more work to start, and no other thread joins from now on. True: other threads may
	 * still join, and the task moves to the end of the queue. worker: 0 ... nr_workers - 1, or
	 * CREW_CALLER for a thread outside the crew.
	 */
	bool (*work)(struct crew_task *task, unsigned int worker);
	/*
	 * The last worker that leaves a posted task calls this once; it may free the task. May be
	 * NULL. crew_run() does not call it.
	 */
	void (*done)(struct crew_task *task);
	unsigned int nr_wanted; /* at most this many workers join at a time */
	bool bound;             /* workers stay bound to the CPU they woke on, until crew_unbind */
	bool wake_all;          /* crew_run wakes all nr_wanted workers at once; no idle spinning */

	/* Private to the crew, under its lock. */
	uint64_t not_before_ns; /* set by crew_delay */
	bool queued;
	bool parked; /* delayed for CREW_NEVER: in no list that workers search */
	unsigned int nr_joined;
	bool caller_works; /* the caller of crew_run works on it, so it can wait for workers */
	bool retracted;
	bool ended;
	unsigned int sleepers; /* that it may wake: SLEEPS_ON bits */
	atomic_uint idle;      /* futex: enum in tasks.c */
	struct crew_task *prev, *next;
};

#define CREW_CALLER UINT32_MAX
#define CREW_NEVER  UINT64_MAX

/*
 * Starts one worker per place, but at most nr_workers; nr_workers 0 means 16. Copies the placement.
 * 0, -EAGAIN (the system can create no more threads), -ENOMEM.
 */
int __must_check crew_open(const struct placement *placement, unsigned int nr_workers,
			   struct crew **out);
/* Ends and joins all workers. No task may be in the queue. NULL is ignored. */
void crew_close(struct crew *crew);
/*
 * Frees the crew in a forked child, in which its threads do not exist. No task may have been in the
 * queue at the fork. NULL is ignored.
 */
void crew_forget(struct crew *crew);

/* Workers lower their nice value by 10 before their next task, if the process may do that. */
void crew_boost(struct crew *crew);

unsigned int crew_nr_workers(const struct crew *crew);
/* The number of CPUs that the workers may run on, limited by the CPU quota. */
unsigned int crew_nr_cpus(const struct crew *crew);
/*
 * Lets the scheduler move this worker again. Only from work(), in the thread of that worker. For
 * work that finds its CPU contended: the scheduler cannot move a bound thread to a free CPU, and
 * threads that wait for the worker wait for its CPU as well.
 */
void crew_unbind(struct crew *crew, unsigned int worker);
/* The place of this worker: 0 ... nr_workers - 1. */
const struct place *crew_place(const struct crew *crew, unsigned int worker);
/* The CPU time that all workers have used so far. */
uint64_t crew_cpu_ns(const struct crew *crew);
/* The number of workers that work on no task. A hint: it may change at any time. */
unsigned int crew_nr_idle(const struct crew *crew);

/*
 * Queues the task, wakes workers and returns. It allocates nothing and blocks only on the queue
 * lock. A task may be posted again after it has ended.
 */
void crew_post(struct crew *crew, struct crew_task *task);

/*
 * No worker joins the task before now_ns() reaches not_before_ns. 0 ends the delay; CREW_NEVER
 * delays the task until the next call. A task that has to wait calls this and returns true from
 * work(), so that its workers serve other tasks. May be called at any time, before the task is
 * posted too.
 */
void crew_delay(struct crew *crew, struct crew_task *task, uint64_t not_before_ns);

/*
 * Sleeps until the task has ended and all threads have left it, for at most wait_ns; FUTEX_FOREVER
 * has no limit. 0 or -ETIMEDOUT. Only for tasks without done().
 */
int crew_wait(struct crew *crew, struct crew_task *task, uint64_t wait_ns);

/*
 * Removes the task from the queue and waits for its workers to leave. True: done() has not been
 * called and will not be. False: the task had ended by itself, and done() has been called or is
 * about to be.
 */
bool crew_retract(struct crew *crew, struct crew_task *task);

/*
 * Posts the task, works on it in the calling thread as well, then retracts it. It waits for workers
 * that have joined, not for workers that have not: where the machine is busy, the caller does the
 * work alone. crew NULL: alone.
 */
void crew_run(struct crew *crew, struct crew_task *task, unsigned int worker);

#endif
