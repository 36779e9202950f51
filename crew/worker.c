// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A worker that finds nothing it is wanted for sleeps on a futex that counts posts: it reads the
 * count, looks at the queue, and sleeps only if the count is the same, so no post is missed.
 */
#include <linux/prctl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/sys.h"
#include "crew/internal.h"

/* How many others a worker wakes that was woken itself. */
#define WAKE_FAN 2
/* Who was woken and comes so late has waited for its CPU. */
#define LATE_NS 500000

/* True once there was a post. Spinning steals nothing only while a CPU is left over. */
static bool spin(const struct crew *crew, unsigned int seen, uint64_t spin_ns)
{
	uint64_t start = now_ns();

	do {
		unsigned int awake = crew->nr_workers -
				     atomic_load_explicit(&crew->nr_sleeping, memory_order_relaxed);

		for (unsigned int i = 0; i < SPIN_TURNS; i++) {
			if (atomic_load_explicit(&crew->nr_posts, memory_order_acquire) != seen)
				return true;
			cpu_relax();
		}
		if (awake >= crew->nr_cpus)
			return false;
	} while (now_ns() - start < spin_ns);
	return false;
}

static void unbind(struct worker *worker)
{
	if (worker->bound >= 0)
		spread_unbind(&worker->crew->spread, &worker->place, worker->bound);
	worker->bound = -1;
}

/*
 * A worker looks for a CPU of its own before it joins anything: from then on others wait for it.
 * Each sleeps bound to a CPU of its own, so that it wakes there at once. But somebody else
 * may have taken that CPU meanwhile: a worker that comes late, or finds another one there, looks
 * again.
 */
static void find_cpu(struct worker *worker)
{
	struct crew *crew = worker->crew;
	int cpu = worker->bound;
	bool late =
		now_ns() - atomic_load_explicit(&crew->posted_ns, memory_order_relaxed) > LATE_NS;

	if (cpu >= 0 && cpu == sched_getcpu() && !late && spread_claim(&crew->spread, cpu)) {
		worker->cpu = cpu;
		return;
	}
	unbind(worker);
	worker->cpu = spread_enter_free(&crew->spread, &worker->place);
}

/*
 * Spins only as long as spinning has been paying: a sleep shorter than the limit would have been
 * better spent spinning, a longer one would not.
 */
static void rest(struct worker *worker, unsigned int seen, uint64_t until_ns)
{
	struct crew *crew = worker->crew;
	unsigned int sleeper;
	uint64_t start;

	if (worker->spin_ns && spin(crew, seen, worker->spin_ns))
		return;
	if (worker->cpu >= 0 && worker->bound < 0)
		worker->bound = spread_bind(&crew->spread, &worker->place, worker->cpu);
	spread_leave(&crew->spread, worker->cpu);
	sleeper = worker->bound >= 0 ? SLEEPS_ON(worker->bound) : SLEEPS_ANYWHERE;
	atomic_store_explicit(&crew->warmest, sleeper, memory_order_relaxed);
	start = now_ns();
	atomic_fetch_add(&crew->nr_sleeping, 1);
	futex_wait_bits(&crew->nr_posts, seen, sleeper, until_ns);
	atomic_fetch_sub(&crew->nr_sleeping, 1);
	worker->spin_ns = now_ns() - start < SPIN_MAX_NS ? SPIN_MAX_NS : worker->spin_ns / 2;
	if (crew->bind)
		find_cpu(worker);
}

static void settle(struct worker *worker, unsigned int index)
{
	char name[16];

	snprintf(name, sizeof(name), "ferry/%u", index);
	atomic_store(&worker->tid, (int)sys(SYS_gettid));
	sys(SYS_prctl, PR_SET_NAME, name);
	/* Or the shortest sleep would last 50 µs. */
	sys(SYS_prctl, PR_SET_TIMERSLACK, 1);
	if (worker->crew->bind)
		spread_allow(&worker->place, 0);
}

void crew_unbind(struct crew *crew, unsigned int worker)
{
	if (worker < crew->nr_workers)
		unbind(&crew->workers[worker]);
}

/* Counted as idle again before the task's owner can know that it left. */
static void serve(struct crew *crew, struct crew_task *task, unsigned int index)
{
	struct worker *worker = &crew->workers[index];
	bool more;

	if (!task->bound)
		unbind(worker);
	if (task->wake_all)
		worker->spin_ns = 0;
	if (atomic_load_explicit(&crew->boost, memory_order_relaxed) && !worker->boosted) {
		thread_boost();
		worker->boosted = true;
	}
	atomic_fetch_sub_explicit(&crew->nr_idle, 1, memory_order_relaxed);
	more = task->work(task, index);
	atomic_fetch_add_explicit(&crew->nr_idle, 1, memory_order_relaxed);
	crew_leave(crew, task, more);
}

void *crew_worker_main(void *arg)
{
	struct worker *worker = arg;
	struct crew *crew = worker->crew;
	unsigned int index = (unsigned int)(worker - crew->workers);
	struct crew_outlook outlook = {0};

	settle(worker, index);
	while (!outlook.closing) {
		unsigned int seen = atomic_load(&crew->nr_posts);
		struct crew_task *task = crew_join(crew, worker, &outlook);

		if (outlook.rouse)
			crew_rouse(crew, WAKE_FAN, outlook.more);
		else if (outlook.more)
			crew_wake(crew, WAKE_FAN, outlook.more);
		if (task)
			serve(crew, task, index);
		else if (!outlook.closing)
			rest(worker, seen, outlook.due_ns);
	}
	return NULL;
}
