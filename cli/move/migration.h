/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One move of a subject's pages, and the check of its result. */
#ifndef MIGBENCH_MOVE_MIGRATION_H
#define MIGBENCH_MOVE_MIGRATION_H

#include "cli/move/subject.h"
#include "cli/move/variant.h"
#include "pageferry.h"

struct migration {
	enum variant variant;
	unsigned int nr_workers; /* of a job; 0: the policy's choice */
	uint32_t first, nr;      /* addresses in subject->pages */
	unsigned int end;        /* index in subject->node of the destination */
};

struct outcome {
	uint64_t ns;
	double cpu_s;
	uint64_t nr_faults;
	double left_part; /* of the pages: not moved */
	bool has_result;  /* jobs have */
	struct ferry_result result;
};

/* Returns 0, or -errno after a message: the call failed, or a status names a third node. */
int migration_run(struct subject *subject, struct ferry *ferry, const struct migration *migration,
		  struct outcome *out);

/* Checks the content of all pages. 0, or -errno after a message. */
int migration_check_content(const struct subject *subject, const char *what);
/*
 * Also checks that pages are where their statuses say, after a move of all pages by variant. 0, or
 * -errno after a message.
 */
int migration_check(struct subject *subject, enum variant variant);

#endif
