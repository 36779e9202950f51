/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The queue of tasks. The caller holds the crew's lock. */
#ifndef FERRY_CREW_QUEUE_H
#define FERRY_CREW_QUEUE_H

#include "crew/crew.h"

/* To be called when what the task occupies may have changed. */
void queue_count(struct crew *crew, struct crew_task *task);

/* True if no thread works on the task, though some should. */
bool task_lacks_workers(const struct crew_task *task);

void queue_add(struct crew *crew, struct crew_task *task);
void queue_remove(struct crew *crew, struct crew_task *task);

/*
 * The task that a worker should join; NULL if none wants a worker now. *due_ns: when the next
 * delayed task is due.
 */
struct crew_task *queue_pick(struct crew *crew, uint64_t *due_ns);
/* A worker joins what it has picked. Counts turns. */
void queue_note_turn(struct crew *crew, const struct crew_task *joined);
/* The queue has changed: tells crew_should_leave(). queue_pick() does so, too. */
void queue_look(struct crew *crew);

#endif
