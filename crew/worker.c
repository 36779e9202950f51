// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The life of a worker. A worker without a task sleeps on a futex that counts posts. It reads the
 * count, looks at the queue, and sleeps only if the count is still the same, so it misses no post.
 */
#include <linux/prctl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/sys.h"
#include "crew/internal.h"

/*
 * How many others each worker wakes. Increasing this gets all workers to work in fewer steps, but
 * each worker starts its own work later.
 */
#define WAKE_FAN 2
/*
 * A worker that wakes this long after the post has waited for its CPU, and looks for another.
 * Increasing this leaves workers on contended CPUs; decreasing it moves them without need.
 */
#define LATE_NS 500000

/* True if there was a post. Spins only while a CPU is left over for it. */
static bool worker_spin(const struct crew *crew, unsigned int seen, uint64_t spin_ns)
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

static void worker_unbind(struct worker *worker)
{
	if (worker->bound >= 0)
		spread_unbind(&worker->crew->spread, &worker->place, worker->bound);
	worker->bound = -1;
}

/*
 * A worker claims a CPU before it joins a task, because other threads wait for it from then on.
 * Workers sleep bound to one CPU each, so that they wake on it at once. Another thread may have
 * taken that CPU meanwhile: a worker that wakes late, or finds another worker there, gives up the
 * binding and looks for a free CPU.
 */
static void worker_find_cpu(struct worker *worker)
{
	struct crew *crew = worker->crew;
	int cpu = worker->bound;
	bool late =
		now_ns() - atomic_load_explicit(&crew->posted_ns, memory_order_relaxed) > LATE_NS;

	if (cpu >= 0 && cpu == sched_getcpu() && !late && spread_claim(&crew->spread, cpu)) {
		worker->cpu = cpu;
		return;
	}
	worker_unbind(worker);
	worker->cpu = spread_enter_free(&crew->spread, &worker->place);
}

/*
 * Spins, then sleeps until the next post. The time to spin adapts: a sleep shorter than SPIN_MAX_NS
 * sets it to that limit, a longer one halves it.
 */
static void worker_sleep(struct worker *worker, unsigned int seen, uint64_t until_ns)
{
	struct crew *crew = worker->crew;
	unsigned int sleeper;
	uint64_t start;

	if (worker->spin_ns && worker_spin(crew, seen, worker->spin_ns))
		return;
	if (worker->cpu >= 0 && worker->bound < 0)
		worker->bound = spread_bind(&crew->spread, &worker->place, worker->cpu);
	spread_leave(&crew->spread, worker->cpu);
	sleeper = worker->bound >= 0 ? SLEEPS_ON(worker->bound) : SLEEPS_ANYWHERE;
	atomic_store_explicit(&crew->last_sleeper, sleeper, memory_order_relaxed);
	start = now_ns();
	atomic_fetch_add(&crew->nr_sleeping, 1);
	futex_wait_bits(&crew->nr_posts, seen, sleeper, until_ns);
	atomic_fetch_sub(&crew->nr_sleeping, 1);
	worker->spin_ns = now_ns() - start < SPIN_MAX_NS ? SPIN_MAX_NS : worker->spin_ns / 2;
	if (crew->bind)
		worker_find_cpu(worker);
}

static void worker_init(struct worker *worker, unsigned int index)
{
	char name[16];

	snprintf(name, sizeof(name), "ferry/%u", index);
	atomic_store(&worker->tid, (int)sys(SYS_gettid));
	sys(SYS_prctl, PR_SET_NAME, name);
	/* With the default timer slack a sleep lasts up to 50 µs longer. */
	sys(SYS_prctl, PR_SET_TIMERSLACK, 1);
	if (worker->crew->bind)
		spread_allow(&worker->place, 0);
}

void crew_unbind(struct crew *crew, unsigned int worker)
{
	if (worker < crew->nr_workers)
		worker_unbind(&crew->workers[worker]);
}

/* Counts itself as idle before crew_leave(), after which the owner may look at the count. */
static void worker_run_task(struct crew *crew, struct crew_task *task, unsigned int index)
{
	struct worker *worker = &crew->workers[index];
	bool more;

	if (!task->bound)
		worker_unbind(worker);
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

	worker_init(worker, index);
	while (!outlook.closing) {
		unsigned int seen = atomic_load(&crew->nr_posts);
		struct crew_task *task = crew_join(crew, worker, &outlook);

		if (outlook.announce)
			crew_announce(crew, WAKE_FAN, outlook.sleepers);
		else if (outlook.sleepers)
			crew_wake(crew, WAKE_FAN, outlook.sleepers);
		if (task)
			worker_run_task(crew, task, index);
		else if (!outlook.closing)
			worker_sleep(worker, seen, outlook.due_ns);
	}
	return NULL;
}
