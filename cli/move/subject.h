/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pages that migbench move moves between two nodes, or to other frames of one. */
#ifndef MIGBENCH_MOVE_SUBJECT_H
#define MIGBENCH_MOVE_SUBJECT_H

#include "cli/area/area.h"
#include "cli/move/holder.h"

struct subject {
	struct area area;
	struct holder holder; /* another process that has the area; pid 0: this process has it */
	bool fresh;           /* moves to other frames of one node */
	int node[2];          /* both are the same node if fresh */
	unsigned int at;      /* index in node[] of where all pages are */
	uint64_t seed;        /* of the content */
	size_t step_bytes;    /* what one address in pages[] stands for */
	void **pages;         /* in the order of the request */
	int *nodes[2];        /* nodes[i]: node[i] for every page */
	int *status;          /* of the latest move */
	int *node_of;         /* looked up after a move */
	uint32_t nr_pages;
};

/* 0 or -errno. With --scattered, pages are those of every other folio, in random order. */
int subject_open(struct subject *subject, size_t folio_bytes, const int node[2]);
void subject_close(struct subject *subject);

/* Bytes that a move of all pages moves. */
static inline size_t subject_bytes(const struct subject *subject)
{
	return (size_t)subject->nr_pages * subject->step_bytes;
}

/* 1: the content is right; 0: *bad is the first wrong word; -ESRCH: the holder has ended. */
int subject_check_content(const struct subject *subject, struct mismatch *bad);

#endif
