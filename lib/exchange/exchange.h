/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The exchange mover: takes pages out by UFFDIO_MOVE, has an engine copy them, puts the copies in.
 * This is what it offers to jobs and to the context.
 */
#ifndef FERRY_EXCHANGE_H
#define FERRY_EXCHANGE_H

#include "lib/core/job.h"

/* chunks.c */

void chunk_move(struct lane *lane, const struct unit *unit);
/* Brings everything of this lane in, and serves what has been gathered. */
void lane_drain(struct lane *lane);
/* Frames that a hung device held are frames again once its channel is quiet. */
void lane_release_quarantine(struct lane *lane);

/* cpu_pressure.c */

/* The lane begins: what was before does not count. */
void cpu_pressure_begin(struct lane *lane);

/* watcher.c: reads the userfaultfd's events. */

int __must_check watcher_start(struct ferry *ferry);
void watcher_stop(struct ferry *ferry);
/* In a forked child, where its thread does not exist. */
void watcher_forget(struct ferry *ferry);
/* There may be frames to look after. */
void watcher_note_frames(struct ferry *ferry);
/* Before [start, end) is unregistered: has it grown by mremap(2)? Then the rest is a stray. */
void watcher_note_grown(struct ferry *ferry, uintptr_t start, uintptr_t end);
/*
 * Ends the watch over ranges that were carried elsewhere by mremap(2), or grew. No run is
 * registered, and none may become so meanwhile.
 */
void watcher_unregister_moved(struct ferry *ferry);

#endif
