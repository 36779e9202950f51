/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --busy: threads of this process that compute while pages move. */
#ifndef MIGBENCH_MOVE_BUSY_H
#define MIGBENCH_MOVE_BUSY_H

struct busy;

/* Starts sleeping threads. 0 or -EAGAIN. nr_threads 0: *out is NULL, which the others accept. */
int busy_open(unsigned int nr_threads, struct busy **out);
void busy_close(struct busy *busy);

/* Wakes the threads, and puts them to sleep again. */
void busy_begin(struct busy *busy);
void busy_end(struct busy *busy);

#endif
