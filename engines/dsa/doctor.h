/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The chain from processor to completed descriptor, link by link. */
#ifndef FERRY_DSA_DOCTOR_H
#define FERRY_DSA_DOCTOR_H

#include <stdbool.h>

#include "engines/dsa/queue.h"

/* remedy: the command or deed that mends what is not ok; NULL if nothing needs mending. */
typedef void (*dsa_doctor_line_fn)(void *arg, const char *step, bool ok, const char *detail,
				   const char *remedy);

/*
 * Calls line for every link up to the first broken one. Opens queues and sends them a NOOP and a
 * batch of two. 0: all is well; 1: it works, but not as well as it could (the last line is not ok);
 * -ENODEV: not usable.
 */
int dsa_doctor(dsa_doctor_line_fn line, void *arg);

/* What brings batches where a queue is reached by write(), on a processor with these instructions.
 */
void dsa_way_to_batches(const struct dsa_queue *queue, bool has_enqcmd, bool has_movdir64b,
			char *text, size_t text_bytes);

#endif
