/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The crew: persistent worker threads over the chiplets. They sleep on a futex at no cost, wake
 * fast, and join tasks; the exchange mover uses them as lanes, the CPU engine as copy helpers.
 *
 * Stacks and thread-local storage of workers, and all of the crew's own memory, come from the
 * vault. Workers block every signal.
 */
#ifndef FERRY_CREW_H
#define FERRY_CREW_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/base.h"
#include "crew/placement.h"

struct crew;

/*
 * Work that several threads can take part in. Lives in vault memory if pages may be out while it
 * runs. Any number of tasks may be posted at a time: workers prefer the oldest that nobody works
 * on, then the oldest that still wants hands.
 */
struct crew_task {
	/*
	 * Runs in every thread that joins. Returns false when there is no more work to start:
	 * nobody joins from then on. True: this thread leaves, others may still join, and the task
	 * goes to the end of the queue. worker: 0 … nr_workers - 1, or CREW_CALLER for a thread
	 * that is not of the crew.
	 */
	bool (*work)(struct crew_task *task, unsigned int worker);
	/*
	 * Called once by the last worker to leave a posted task; may be NULL. The task may be freed
	 * in it. Not called for crew_run.
	 */
	void (*done)(struct crew_task *task);
	unsigned int nr_wanted; /* at most this many workers join at a time */
	bool bound;             /* workers stay bound to the CPU they woke on, until crew_unbind */
	bool wake_all;          /* at once, and let them sleep at once when there is no more */

	/* The crew's, under its lock. */
	uint64_t not_before_ns; /* crew_delay's */
	unsigned int nr_joined;
	bool attended; /* crew_run's caller works on it: it does not lack hands */
	bool retracted;
	bool ended;
	unsigned int sleepers; /* that may be woken for it: SLEEPS_ON bits */
	atomic_uint idle;      /* futex: enum in tasks.c */
	struct crew_task *prev, *next;
};

#define CREW_CALLER UINT32_MAX
#define CREW_NEVER  UINT64_MAX

/*
 * Starts min(nr_workers, places) workers; nr_workers 0: one per place, at most 16. The placement is
 * copied. 0, -EAGAIN (threads can't be created), -ENOMEM.
 */
int __must_check crew_open(const struct placement *placement, unsigned int nr_workers,
			   struct crew **out);
/* Ends and joins all workers. No task may be posted any more. */
void crew_close(struct crew *crew);
/* Frees it in a forked child, where its threads do not exist. It must have been idle at the fork.
 */
void crew_forget(struct crew *crew);

/* From now on workers run ahead of other threads (nice - 10), if the process may do that. */
void crew_boost(struct crew *crew);

unsigned int crew_nr_workers(const struct crew *crew);
/* CPUs that the workers can run on, or that the quota pays for: more threads share them. */
unsigned int crew_nr_cpus(const struct crew *crew);
/*
 * From within work(), in worker's own thread: the scheduler may move it. To be called where it may
 * have to wait for its CPU: others would be waiting with it, and a bound thread can't be moved
 * away.
 */
void crew_unbind(struct crew *crew, unsigned int worker);
/* Where worker i was placed. */
const struct place *crew_place(const struct crew *crew, unsigned int worker);
/* CPU time all workers have used so far. */
uint64_t crew_cpu_ns(const struct crew *crew);
/* Workers that sleep or spin idle right now; a hint for policy. */
unsigned int crew_nr_idle(const struct crew *crew);

/*
 * Offers the task to the workers and returns at once. Neither allocates nor blocks for longer than
 * the queue lock. A task can be posted again once it has ended.
 */
void crew_post(struct crew *crew, struct crew_task *task);

/*
 * No worker joins the task before not_before_ns of now_ns(): 0 at once, CREW_NEVER not until it is
 * told otherwise. For a task that has to wait: it leaves its workers to others meanwhile, by
 * returning true from work(). May be called at any time from any thread.
 */
void crew_delay(struct crew *crew, struct crew_task *task, uint64_t not_before_ns);

/*
 * Sleeps until the task has ended and everybody left, at most wait_ns. 0 or -ETIMEDOUT. Only for
 * tasks without done().
 */
int crew_wait(struct crew *crew, struct crew_task *task, uint64_t wait_ns);

/*
 * Nobody joins any more; waits for those inside to leave. True: done() was not called and will not
 * be. False: the task had ended by itself, and done() has been called or is about to be.
 */
bool crew_retract(struct crew *crew, struct crew_task *task);

/*
 * Posts the task, works on it in the calling thread too, then retracts it: helpers that never came
 * are not waited for, so starved helpers cost nothing. crew NULL: alone.
 */
void crew_run(struct crew *crew, struct crew_task *task, unsigned int worker);

#endif
