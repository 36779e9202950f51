/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks everything from the CPU to a completed descriptor, link by link. */
#ifndef FERRY_DSA_DOCTOR_H
#define FERRY_DSA_DOCTOR_H

#include <stdbool.h>

#include "engines/dsa/queue.h"

/* remedy: the command or action that fixes the link; NULL if it is ok. */
typedef void (*dsa_doctor_line_fn)(void *arg, const char *step, bool ok, const char *detail,
				   const char *remedy);

/*
 * Calls line for every link up to the first broken one. Opens queues, sends a NOOP and a batch of
 * two. 0: everything works; 1: usable without batches (the last line is not ok); -ENODEV: unusable.
 */
int dsa_doctor(dsa_doctor_line_fn line, void *arg);

/* Writes what enables batches on a queue that is used by write(), on a CPU with these features. */
void dsa_batches_remedy(const struct dsa_queue *queue, bool has_enqcmd, bool has_movdir64b,
			char *text, size_t text_bytes);

#endif
