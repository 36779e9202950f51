/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pages that the kernel needs while a thread of this process exits. It clears the thread's id
 * in the thread's control block (CLONE_CHILD_CLEARTID) and wakes pthread_join(3), and it marks the
 * robust mutexes that the thread holds. An exiting thread does not wait for a page in flight, so
 * the kernel would leave out both, and the waiters would sleep for ever.
 *
 * get_robust_list(2) tells where each thread's robust list begins, which libc keeps in the control
 * block. The cleared id lies at the same distance from it in all threads that libc starts.
 */
#ifndef FERRY_THREADS_H
#define FERRY_THREADS_H

#include <linux/futex.h>

#include "base/base.h"
#include "base/bits.h"
#include "base/futex.h"
#include "lib/nodes/kernel_file.h"

/* Entries of the table. A thread needs one or two; more allow for more threads. */
#define THREADS_MAX_PLACES 8192

/* What tells that threads were born or have died. */
struct threads_look {
	long last_tid;   /* the last thread id that the kernel has given away; -1: look again */
	long nr_machine; /* threads of the machine */
	long nr;         /* threads of this process, when they were last listed */
};

struct threads {
	struct kernel_file task;    /* /proc/self/task */
	struct kernel_file loadavg; /* not open: births must be expected at any time */
	/* what libc's control blocks look like; tid_known: tid_distance is */
	bool tid_known;
	long tid_distance;  /* from the robust list's head to the thread's id */
	uintptr_t tid_addr; /* of the thread that opened this */
	uint64_t list_word; /* futex_offset of all heads */

	struct futex_lock lock; /* of what follows */
	struct threads_look look;
	long headless; /* the sum of the ids of threads that have no robust list */
	uint64_t headless_since_ns;
	bool overflow; /* more than the table holds: all pages count as needed */
	unsigned int nr_places;
	uintptr_t places[THREADS_MAX_PLACES]; /* ascending. They stay, because stacks are reused */
	char names[8192];                     /* of /proc/self/task */
};

/* In vault memory. -errno: it cannot be told where threads keep their ids. */
int __must_check threads_open(struct threads **out);
/* Opens the files again that the program has closed. The caller has blocked signals. */
void threads_keep_open(struct threads *threads);
void threads_close(struct threads *threads);

/*
 * Brings the table up to date, also with the mutexes that threads hold now. The caller has no pages
 * in flight: this reads the program's memory.
 */
void threads_refresh(struct threads *threads);
/* Brings the table up to date if threads were born or have died. Stores in *look as of when. */
void threads_update(struct threads *threads, struct threads_look *look);
/* True if threads were born or have died since. */
bool threads_changed(struct threads *threads, const struct threads_look *since);
/* May a thread of this process have died since? Births in other processes do not count. */
bool threads_have_died(struct threads *threads, const struct threads_look *since);
/* Adds those of up to 2 MiB of pages that exiting threads need to the map. True if there are any.
 */
bool threads_need(struct threads *threads, uintptr_t addr, unsigned int nr_pages,
		  struct page_map *map);

/* Is this where the id of an exiting thread is cleared? */
typedef bool (*threads_tid_fn)(void *arg, uintptr_t tid_addr);
/*
 * Waits for threads that are inside exit(2) until the kernel needs none of their memory any more:
 * those whose id lies where fn says, and those whose place is unknown.
 */
void threads_wait_exiting(struct threads *threads, threads_tid_fn fn, void *arg);
/* Is this the head of a thread's robust list, or an entry of one? */
bool threads_know(struct threads *threads, uintptr_t addr);
/* True if no thread of this process has the id, or if its memory is no longer used. */
bool threads_is_dead(struct threads *threads, int tid);

#endif
