// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which task a worker joins next, and when it leaves one for another. */
#include "crew/queue.h"

#include "base/clock.h"
#include "crew/internal.h"

bool task_lacks_workers(const struct crew_task *task)
{
	return !task->nr_joined && !task->caller_works && task->nr_wanted;
}

/* A task in the background gets what is left, so it occupies what it has. */
static unsigned int task_occupies(const struct crew_task *task)
{
	if (task->rank == CREW_BACKGROUND)
		return task->nr_joined;
	if (task->rank == CREW_HELP || task->ended || !(task->nr_joined || task->caller_works))
		return 0;
	return task->nr_occupied ? task->nr_occupied : task->nr_wanted;
}

void queue_count(struct crew *crew, struct crew_task *task)
{
	unsigned int now = task_occupies(task);

	crew->nr_occupied += now - task->nr_counted;
	task->nr_counted = now;
}

static struct task_list *task_list_of(struct crew *crew, const struct crew_task *task)
{
	if (task->parked)
		return &crew->parked;
	return task->rank == CREW_BACKGROUND ? &crew->background : &crew->normal;
}

void queue_add(struct crew *crew, struct crew_task *task)
{
	struct task_list *list;

	task->parked = task->not_before_ns == CREW_NEVER;
	task->queued = true;
	list = task_list_of(crew, task);
	if (task->rank == CREW_URGENT) {
		task->prev = NULL;
		task->next = list->head;
		*(task->next ? &task->next->prev : &list->tail) = task;
		list->head = task;
	} else {
		task->prev = list->tail;
		task->next = NULL;
		*(task->prev ? &task->prev->next : &list->head) = task;
		list->tail = task;
	}
}

void queue_remove(struct crew *crew, struct crew_task *task)
{
	struct task_list *list = task_list_of(crew, task);

	*(task->prev ? &task->prev->next : &list->head) = task->next;
	*(task->next ? &task->next->prev : &list->tail) = task->prev;
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

/* NULL if no task of the list wants a worker now. *due_ns: when the next delayed task is due. */
static struct crew_task *list_pick(const struct task_list *list, uint64_t *due_ns)
{
	struct crew_task *found = NULL;
	uint64_t now = 0;

	for (struct crew_task *task = list->head; task; task = task->next) {
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

/* crew.waiting */
enum {
	WAITS_FOR_TURN = 1,      /* a task has no worker */
	WAITS_FOR_MORE = 2,      /* tasks in the background have workers that others need */
	WAITS_IN_BACKGROUND = 4, /* a task in the background has no worker */
};

/*
 * So many workers join other tasks before one joins a background task that has none. Increasing
 * this leaves more to the other tasks; decreasing it gives background tasks a greater share.
 */
#define BACKGROUND_TURN 16

/* NULL if no task wants a worker now; then *due_ns is when the next delayed task is due. */
struct crew_task *queue_pick(struct crew *crew, uint64_t *due_ns)
{
	struct crew_task *normal, *background;
	unsigned int waiting = 0;

	*due_ns = CREW_NEVER;
	normal = list_pick(&crew->normal, due_ns);
	background = list_pick(&crew->background, due_ns);
	if (normal && task_lacks_workers(normal))
		waiting |= WAITS_FOR_TURN;
	if (crew->nr_occupied > crew->nr_workers)
		waiting |= WAITS_FOR_MORE;
	if (background && task_lacks_workers(background))
		waiting |= WAITS_IN_BACKGROUND;
	atomic_store_explicit(&crew->waiting, waiting, memory_order_relaxed);
	atomic_store_explicit(&crew->due_ns, *due_ns, memory_order_relaxed);
	if (waiting & WAITS_IN_BACKGROUND && atomic_load(&crew->background_turn))
		return background;
	return normal || crew->nr_occupied >= crew->nr_workers ? normal : background;
}

void queue_look(struct crew *crew)
{
	uint64_t due_ns;

	queue_pick(crew, &due_ns);
}

void queue_note_turn(struct crew *crew, const struct crew_task *joined)
{
	if (joined->rank == CREW_BACKGROUND) {
		crew->nr_passed_over = 0;
		atomic_store(&crew->background_turn, false);
	} else if (joined->rank != CREW_HELP &&
		   atomic_load_explicit(&crew->waiting, memory_order_relaxed) &
			   WAITS_IN_BACKGROUND &&
		   ++crew->nr_passed_over >= BACKGROUND_TURN) {
		atomic_store(&crew->background_turn, true);
	}
}

/* ---- without the lock ---- */

/*
 * Workers take turns of this length. Increasing this leaves more time to the work, because a lane
 * puts in all its pages before it leaves; decreasing it lets tasks begin sooner.
 */
#define TURN_NS (2 * NS_PER_MS)

bool crew_should_leave(struct crew *crew, const struct crew_task *task, uint64_t since_ns)
{
	unsigned int waiting = atomic_load_explicit(&crew->waiting, memory_order_relaxed);
	uint64_t due_ns = atomic_load_explicit(&crew->due_ns, memory_order_relaxed), now;

	if (!waiting && due_ns == CREW_NEVER)
		return false;
	now = now_ns();
	if (now >= due_ns) {
		futex_lock(&crew->lock);
		queue_look(crew);
		futex_unlock(&crew->lock);
		waiting = atomic_load_explicit(&crew->waiting, memory_order_relaxed);
	}
	if (task->rank == CREW_BACKGROUND && waiting & (WAITS_FOR_TURN | WAITS_FOR_MORE))
		return true;
	if (atomic_load_explicit(&crew->nr_idle, memory_order_relaxed))
		return false;
	if (waiting & (task->rank == CREW_BACKGROUND ? WAITS_IN_BACKGROUND : WAITS_FOR_TURN))
		return now - since_ns >= TURN_NS;
	if (!(waiting & WAITS_IN_BACKGROUND) || now - since_ns < BACKGROUND_TURN * TURN_NS)
		return false;
	atomic_store(&crew->background_turn, true);
	return true;
}
