/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads of this process that compute and do nothing else, while something is measured. */
#ifndef MIGBENCH_BUSY_H
#define MIGBENCH_BUSY_H

struct busy;

/* They sleep to begin with. 0, -EAGAIN; nr 0: NULL, which the others take. */
int busy_open(unsigned int nr_threads, struct busy **out);
void busy_close(struct busy *busy);

void busy_begin(struct busy *busy);
void busy_end(struct busy *busy);

#endif
