// SPDX-License-Identifier: LGPL-2.1-or-later
/* The queue of tasks, under one lock: posting, joining, leaving and retracting them. */
#include <errno.h>

#include "base/clock.h"
#include "crew/internal.h"

/* crew_task.idle. TASK_AWAITED: busy, and a thread sleeps until it is idle. */
enum { TASK_BUSY, TASK_IDLE, TASK_AWAITED };

static bool task_lacks_workers(const struct crew_task *task)
{
	return !task->nr_joined && !task->caller_works && task->nr_wanted;
}

/* ---- with the queue lock held ---- */

static void queue_append(struct crew *crew, struct crew_task *task)
{
	bool parked = task->not_before_ns == CREW_NEVER;
	struct crew_task **head = parked ? &crew->parked_head : &crew->head;
	struct crew_task **tail = parked ? &crew->parked_tail : &crew->tail;

	task->prev = *tail;
	task->next = NULL;
	*(*tail ? &(*tail)->next : head) = task;
	*tail = task;
	task->queued = true;
	task->parked = parked;
}

static void queue_remove(struct crew *crew, struct crew_task *task)
{
	struct crew_task **head = task->parked ? &crew->parked_head : &crew->head;
	struct crew_task **tail = task->parked ? &crew->parked_tail : &crew->tail;

	*(task->prev ? &task->prev->next : head) = task->next;
	*(task->next ? &task->next->prev : tail) = task->prev;
	task->queued = false;
}

/* *now is 0 until the first task with a time: a clock read is a system call, under the lock. */
static bool task_is_due(const struct crew_task *task, uint64_t *now)
{
	if (!task->not_before_ns || task->not_before_ns == CREW_NEVER)
		return !task->not_before_ns;
	if (!*now)
		*now = now_ns();
	return task->not_before_ns <= *now;
}

/* NULL if no task wants a worker now; then *due_ns is when the next delayed task is due. */
static struct crew_task *queue_pick(const struct crew *crew, uint64_t *due_ns)
{
	struct crew_task *found = NULL;
	uint64_t now = 0;

	*due_ns = CREW_NEVER;
	for (struct crew_task *task = crew->head; task; task = task->next) {
		if (task->nr_joined >= task->nr_wanted)
			continue;
		if (!task_is_due(task, &now)) {
			*due_ns = MIN(*due_ns, task->not_before_ns);
			continue;
		}
		if (task_lacks_workers(task))
			return task;
		if (!found)
			found = task;
	}
	return found;
}

/*
 * One idle worker, the timekeeper, sleeps only until the next delayed task is due. The others sleep
 * until a post.
 */
static void timekeeper_set(struct crew *crew, const struct worker *worker,
			   struct crew_outlook *outlook)
{
	if (outlook->due_ns == CREW_NEVER)
		return;
	if (crew->timekeeper && crew->timekeeper_due_ns <= outlook->due_ns) {
		outlook->due_ns = CREW_NEVER;
		return;
	}
	crew->timekeeper = worker;
	crew->timekeeper_due_ns = outlook->due_ns;
}

/* ---- without it ---- */

struct crew_task *crew_join(struct crew *crew, const struct worker *worker,
			    struct crew_outlook *outlook)
{
	struct crew_task *task, *other;
	uint64_t due_ns;

	outlook->sleepers = 0;
	outlook->announce = false;
	futex_lock(&crew->lock);
	if (crew->timekeeper == worker)
		crew->timekeeper = NULL;
	outlook->closing = crew->closing;
	task = queue_pick(crew, &outlook->due_ns);
	if (task) {
		task->nr_joined++;
		other = queue_pick(crew, &due_ns);
		outlook->sleepers = other ? other->sleepers : 0;
		/*
		 * A task that became due was not posted, so this worker wakes others for it. If the
		 * timekeeper joins a task while others are delayed, another must take its place.
		 */
		if (task->not_before_ns || (!other && due_ns != CREW_NEVER && !crew->timekeeper)) {
			outlook->announce = true;
			outlook->sleepers = ALL_SLEEPERS;
		}
	} else {
		timekeeper_set(crew, worker, outlook);
	}
	futex_unlock(&crew->lock);
	return task;
}

void crew_leave(struct crew *crew, struct crew_task *task, bool more)
{
	void (*done)(struct crew_task *) = NULL;
	bool awaited = false;

	futex_lock(&crew->lock);
	if (!task->ended)
		queue_remove(crew, task);
	task->nr_joined--;
	task->ended |= !more;
	if (!task->ended) {
		queue_append(crew, task);
	} else if (!task->nr_joined) {
		done = task->retracted ? NULL : task->done;
		if (!done)
			awaited = atomic_exchange(&task->idle, TASK_IDLE) == TASK_AWAITED;
	}
	futex_unlock(&crew->lock);

	if (done)
		done(task);
	else if (awaited)
		futex_wake(&task->idle, UINT_MAX);
}

void crew_wake(struct crew *crew, unsigned int nr_workers, unsigned int sleepers)
{
	if (atomic_load(&crew->nr_sleeping))
		futex_wake_bits(&crew->nr_posts, nr_workers, sleepers);
}

/*
 * If none of the preferred sleepers is asleep, this wakes any one: a worker that wakes on a busy
 * CPU migrates later.
 */
void crew_announce(struct crew *crew, unsigned int nr_workers, unsigned int sleepers)
{
	atomic_store_explicit(&crew->posted_ns, now_ns(), memory_order_relaxed);
	atomic_fetch_add(&crew->nr_posts, 1);
	if (atomic_load(&crew->nr_sleeping) &&
	    !futex_wake_bits(&crew->nr_posts, nr_workers, sleepers) && sleepers != ALL_SLEEPERS)
		crew_wake(crew, 1, ALL_SLEEPERS);
}

/*
 * A task for one worker prefers the worker that went to sleep last: its caches and its CPU are the
 * warmest. Not if that worker is bound to the CPU of this thread.
 */
static unsigned int sleepers_for_one(const struct crew *crew)
{
	unsigned int last = atomic_load_explicit(&crew->last_sleeper, memory_order_relaxed);
	int cpu = sched_getcpu();

	return last && cpu >= 0 && last != SLEEPS_ON(cpu) ? last : ALL_SLEEPERS;
}

void crew_post(struct crew *crew, struct crew_task *task)
{
	/* A queued task may end, and be freed, before this function returns. */
	unsigned int nr_wanted = task->nr_wanted;

	task->nr_joined = 0;
	task->caller_works = false;
	task->retracted = false;
	task->ended = false;
	task->sleepers = ALL_SLEEPERS;
	atomic_store_explicit(&task->idle, TASK_BUSY, memory_order_relaxed);
	futex_lock(&crew->lock);
	queue_append(crew, task);
	futex_unlock(&crew->lock);
	crew_announce(crew, nr_wanted, nr_wanted == 1 ? sleepers_for_one(crew) : ALL_SLEEPERS);
}

void crew_delay(struct crew *crew, struct crew_task *task, uint64_t not_before_ns)
{
	unsigned int nr_wanted;
	bool sooner;

	futex_lock(&crew->lock);
	sooner = not_before_ns < task->not_before_ns;
	task->not_before_ns = not_before_ns;
	if (task->queued && task->parked != (not_before_ns == CREW_NEVER)) {
		queue_remove(crew, task);
		queue_append(crew, task);
	}
	nr_wanted = task->nr_wanted;
	futex_unlock(&crew->lock);
	if (sooner)
		crew_announce(crew, nr_wanted, ALL_SLEEPERS);
}

int crew_wait(struct crew *crew __maybe_unused, struct crew_task *task, uint64_t wait_ns)
{
	uint64_t start = now_ns(), spent_ns = 0;

	for (;;) {
		unsigned int state = TASK_BUSY;

		if (!atomic_compare_exchange_strong(&task->idle, &state, TASK_AWAITED) &&
		    state == TASK_IDLE)
			return 0;
		if (spent_ns >= wait_ns)
			return -ETIMEDOUT;
		futex_wait(&task->idle, TASK_AWAITED,
			   wait_ns == FUTEX_FOREVER ? FUTEX_FOREVER : wait_ns - spent_ns);
		spent_ns = now_ns() - start;
	}
}

/* Spins first: the workers usually leave sooner than this thread would wake from a sleep. */
static void task_await_workers(struct crew *crew, struct crew_task *task)
{
	uint64_t start = now_ns();

	do {
		for (unsigned int i = 0; i < SPIN_TURNS; i++) {
			if (atomic_load_explicit(&task->idle, memory_order_acquire) == TASK_IDLE)
				return;
			cpu_relax();
		}
	} while (now_ns() - start < SPIN_MAX_NS);
	crew_wait(crew, task, FUTEX_FOREVER);
}

bool crew_retract(struct crew *crew, struct crew_task *task)
{
	bool is_idle, called;

	futex_lock(&crew->lock);
	is_idle = !task->nr_joined;
	called = is_idle && task->ended && task->done;
	if (is_idle && !called)
		atomic_store(&task->idle, TASK_IDLE);
	if (!task->ended)
		queue_remove(crew, task);
	task->ended = true;
	task->retracted = true;
	futex_unlock(&crew->lock);
	if (!is_idle)
		task_await_workers(crew, task);
	return !called;
}

/*
 * The sleepers that a thread at work on this CPU may wake. A worker bound to the same CPU stays
 * asleep if there are enough others; if not, it may run on any CPU of its place.
 */
static unsigned int sleepers_for_run(struct crew *crew, const struct crew_task *task, int cpu)
{
	if (cpu < 0 || !atomic_load_explicit(&crew->spread.bound[cpu], memory_order_relaxed))
		return ALL_SLEEPERS;
	if (atomic_load(&crew->nr_sleeping) > task->nr_wanted)
		return ~SLEEPS_ON(cpu);
	for (unsigned int i = 0; i < crew->nr_workers; i++) {
		struct worker *worker = &crew->workers[i];

		if (atomic_load(&worker->bound) == cpu)
			spread_allow(&worker->place, atomic_load(&worker->tid));
	}
	return ALL_SLEEPERS;
}

void crew_run(struct crew *crew, struct crew_task *task, unsigned int worker)
{
	int cpu = -1;

	if (!crew || !task->nr_wanted) {
		task->work(task, worker);
		return;
	}
	task->nr_joined = 0;
	task->caller_works = true;
	task->retracted = true;
	task->ended = false;
	atomic_store_explicit(&task->idle, TASK_BUSY, memory_order_relaxed);
	if (worker == CREW_CALLER)
		cpu = spread_enter(&crew->spread);
	task->sleepers = sleepers_for_run(crew, task, cpu);
	futex_lock(&crew->lock);
	queue_append(crew, task);
	futex_unlock(&crew->lock);
	/*
	 * Each worker wakes the next ones. Waking one takes about ten microseconds, which this
	 * thread spends on the work instead.
	 */
	crew_announce(crew, task->wake_all ? task->nr_wanted : 1, task->sleepers);
	task->work(task, worker);
	spread_leave(&crew->spread, cpu);
	crew_retract(crew, task);
}
