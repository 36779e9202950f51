/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What --mover selects: system call, library call, or a job by one of the movers. */
#ifndef MIGBENCH_MOVE_VARIANT_H
#define MIGBENCH_MOVE_VARIANT_H

#include "cli/report/report.h"

enum variant {
	VARIANT_SYSCALL,  /* one plain move_pages(2): the baseline */
	VARIANT_CALL,     /* one ferry_move_pages() */
	VARIANT_KERNEL,   /* a job by the kernel mover */
	VARIANT_EXCHANGE, /* a job by the exchange mover */
	VARIANT_AUTO,     /* a job, the policy's choice */
	NR_VARIANTS,
};

struct variant_list {
	enum variant v[NR_VARIANTS];
	unsigned int nr;
};

const char *variant_name(enum variant variant);

static inline bool variant_is_job(enum variant variant)
{
	return variant >= VARIANT_KERNEL;
}

/*
 * The variants of --mover, or by default all that can move pages between these nodes. Returns 0, or
 * an exit code after a message.
 */
int variants_choose(struct report *report, const int node[2], struct variant_list *out);

#endif
