// SPDX-License-Identifier: LGPL-2.1-or-later
/* Tasks in one queue under one lock: how they are posted, joined, left and taken back. */
#include <errno.h>

#include "base/clock.h"
#include "crew/internal.h"

/* crew_task.idle */
enum { TASK_BUSY, TASK_IDLE, TASK_AWAITED };

static bool handless(const struct crew_task *task)
{
	return !task->nr_joined && !task->attended && task->nr_wanted;
}

/* Callers of the functions below hold the lock. */

static void enqueue(struct crew *crew, struct crew_task *task)
{
	task->prev = crew->tail;
	task->next = NULL;
	*(crew->tail ? &crew->tail->next : &crew->head) = task;
	crew->tail = task;
}

static void dequeue(struct crew *crew, struct crew_task *task)
{
	*(task->prev ? &task->prev->next : &crew->head) = task->next;
	*(task->next ? &task->next->prev : &crew->tail) = task->prev;
}

static bool is_due(const struct crew_task *task)
{
	return !task->not_before_ns ||
	       (task->not_before_ns != CREW_NEVER && task->not_before_ns <= now_ns());
}

/* NULL if no task wants a worker now; then *due_ns is when the next one will. */
static struct crew_task *pick(const struct crew *crew, uint64_t *due_ns)
{
	struct crew_task *found = NULL;

	*due_ns = CREW_NEVER;
	for (struct crew_task *task = crew->head; task; task = task->next) {
		if (task->nr_joined >= task->nr_wanted)
			continue;
		if (!is_due(task)) {
			*due_ns = MIN(*due_ns, task->not_before_ns);
			continue;
		}
		if (handless(task))
			return task;
		if (!found)
			found = task;
	}
	return found;
}

/* One idle worker at a time sleeps only until the next delayed task is due. */
static void keep_time(struct crew *crew, const struct worker *worker, struct crew_outlook *outlook)
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

/* Callers of the functions below do not. */

struct crew_task *crew_join(struct crew *crew, const struct worker *worker,
			    struct crew_outlook *outlook)
{
	struct crew_task *task, *other;
	uint64_t due_ns;

	outlook->more = 0;
	outlook->rouse = false;
	futex_lock(&crew->lock);
	if (crew->timekeeper == worker)
		crew->timekeeper = NULL;
	outlook->closing = crew->closing;
	task = pick(crew, &outlook->due_ns);
	if (task) {
		task->nr_joined++;
		other = pick(crew, &due_ns);
		outlook->more = other ? other->sleepers : 0;
		/* Nobody posted a task that has become due, and somebody else must keep the time.
		 */
		if (task->not_before_ns || (!other && due_ns != CREW_NEVER && !crew->timekeeper)) {
			outlook->rouse = true;
			outlook->more = ALL_SLEEPERS;
		}
	} else {
		keep_time(crew, worker, outlook);
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
		dequeue(crew, task);
	task->nr_joined--;
	task->ended |= !more;
	if (!task->ended) {
		enqueue(crew, task);
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

/* A helper on a bad CPU will find a better one, late. */
void crew_rouse(struct crew *crew, unsigned int nr_workers, unsigned int sleepers)
{
	atomic_store_explicit(&crew->posted_ns, now_ns(), memory_order_relaxed);
	atomic_fetch_add(&crew->nr_posts, 1);
	if (atomic_load(&crew->nr_sleeping) &&
	    !futex_wake_bits(&crew->nr_posts, nr_workers, sleepers) && sleepers != ALL_SLEEPERS)
		crew_wake(crew, 1, ALL_SLEEPERS);
}

/* One worker will do: the one whose caches and CPU are the least cold, if not the poster's own. */
static unsigned int choose_one(const struct crew *crew)
{
	unsigned int warmest = atomic_load_explicit(&crew->warmest, memory_order_relaxed);
	int cpu = sched_getcpu();

	return warmest && cpu >= 0 && warmest != SLEEPS_ON(cpu) ? warmest : ALL_SLEEPERS;
}

void crew_post(struct crew *crew, struct crew_task *task)
{
	/* Once it is queued, it may be gone before this returns. */
	unsigned int nr_wanted = task->nr_wanted;

	task->nr_joined = 0;
	task->attended = false;
	task->retracted = false;
	task->ended = false;
	task->sleepers = ALL_SLEEPERS;
	atomic_store_explicit(&task->idle, TASK_BUSY, memory_order_relaxed);
	futex_lock(&crew->lock);
	enqueue(crew, task);
	futex_unlock(&crew->lock);
	crew_rouse(crew, nr_wanted, nr_wanted == 1 ? choose_one(crew) : ALL_SLEEPERS);
}

void crew_delay(struct crew *crew, struct crew_task *task, uint64_t not_before_ns)
{
	unsigned int nr_wanted;
	bool sooner;

	futex_lock(&crew->lock);
	sooner = not_before_ns < task->not_before_ns;
	task->not_before_ns = not_before_ns;
	nr_wanted = task->nr_wanted;
	futex_unlock(&crew->lock);
	if (sooner)
		crew_rouse(crew, nr_wanted, ALL_SLEEPERS);
}

int crew_wait(struct crew *crew, struct crew_task *task, uint64_t wait_ns)
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

/* Those inside are about to leave, most often: sleeping would take longer than they do. */
static void await_leavers(struct crew *crew, struct crew_task *task)
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
	bool nobody, called;

	futex_lock(&crew->lock);
	nobody = !task->nr_joined;
	called = nobody && task->ended && task->done;
	if (nobody && !called)
		atomic_store(&task->idle, TASK_IDLE);
	if (!task->ended)
		dequeue(crew, task);
	task->ended = true;
	task->retracted = true;
	futex_unlock(&crew->lock);
	if (!nobody)
		await_leavers(crew, task);
	return !called;
}

/*
 * Who works on this CPU wants helpers: which sleepers may be woken. One that is bound to the same
 * CPU is left asleep where the others will do, and may wake anywhere where they won't.
 */
static unsigned int choose_sleepers(struct crew *crew, const struct crew_task *task, int cpu)
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
	task->attended = true;
	task->retracted = true;
	task->ended = false;
	atomic_store_explicit(&task->idle, TASK_BUSY, memory_order_relaxed);
	if (worker == CREW_CALLER)
		cpu = spread_enter(&crew->spread);
	task->sleepers = choose_sleepers(crew, task, cpu);
	futex_lock(&crew->lock);
	enqueue(crew, task);
	futex_unlock(&crew->lock);
	/* Each wakes the next: waking one takes ten microseconds, and there is work to do here. */
	crew_rouse(crew, task->wake_all ? task->nr_wanted : 1, task->sleepers);
	task->work(task, worker);
	spread_leave(&crew->spread, cpu);
	crew_retract(crew, task);
}
