/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The exchange mover takes pages out by UFFDIO_MOVE, has an engine copy them, and puts the copies
 * in. This header is what it offers to jobs and to the context.
 */
#ifndef FERRY_EXCHANGE_H
#define FERRY_EXCHANGE_H

#include "lib/core/job.h"

/* chunks.c: a lane's exchanges. */

/*
 * Moves a unit of at most 2 MiB. On return its pages may still be in flight or wait for the kernel
 * mover: lane_drain() completes them.
 */
void chunk_move(struct lane *lane, const struct unit *unit);
/* Puts in all pages of the lane that are in flight, then moves its fallback. */
void lane_drain(struct lane *lane);
/* Gives the frames that a hung device held back to their pools, if their channel is quiet now. */
void lane_release_quarantine(struct lane *lane);

/* cpu_pressure.c */

/* Resets the preemption baseline: what happened before this job does not count. */
void cpu_pressure_begin(struct lane *lane);

/* watcher.c, events.c: the thread that reads the userfaultfd's events. */

int __must_check watcher_start(struct ferry *ferry);
void watcher_stop(struct ferry *ferry);
/* Frees the watcher without stopping it: for a forked child, in which its thread does not exist. */
void watcher_forget(struct ferry *ferry);
/* Pools may hold frames that no job uses: the watcher begins to look after them. */
void watcher_note_frames(struct ferry *ferry);

/* moved_ranges.c: windows, and ranges that get registered beside them. */

/*
 * Unregisters a range. What the program has registered there with a userfaultfd of its own
 * meanwhile stays registered.
 */
void watcher_unregister(struct ferry *ferry, uintptr_t start, uintptr_t end);
/*
 * Call these before a window [start, end) is unregistered, unless another window begins where it
 * ends, or ends where it begins. If the mapping has grown there, by mremap(2) or downwards as a
 * stack does, the added part is registered too, and watcher_unregister_moved() will unregister it.
 */
void watcher_note_grown_up(struct ferry *ferry, uintptr_t end);
void watcher_note_grown_down(struct ferry *ferry, uintptr_t start);
/*
 * Unregisters ranges that mremap(2) has carried elsewhere, and those that were added to windows. No
 * window is open, and none is opened during the call.
 */
void watcher_unregister_moved(struct ferry *ferry);

#endif
