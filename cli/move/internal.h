/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* migbench move: what its files share. */
#ifndef MIGBENCH_MOVE_H
#define MIGBENCH_MOVE_H

#include "cli/area/area.h"
#include "cli/measure/hist.h"
#include "cli/move/holder.h"
#include "cli/limit/limit.h"
#include "cli/measure/measure.h"
#include "cli/plot/plot.h"
#include "cli/report/report.h"
#include "pageferry.h"

struct move_options {
	struct output_options output;
	struct text_list movers;
	struct uint_list folios, workers, batches;
	const char *engine;
	const char *lanes;
	const char *order;
	uint64_t total_bytes, chunk_bytes, stall_bound_ns, nr_busy;
	int from, to; /* -1: chosen */
	bool fresh, scattered, other_process, stall, stats, no_limit, no_check;
	struct round_options rounds;
};

extern struct move_options move_options;

enum way {
	WAY_SYSCALL,  /* one plain move_pages(2): the baseline */
	WAY_CALL,     /* one ferry_move_pages() */
	WAY_KERNEL,   /* a job by the kernel mover */
	WAY_EXCHANGE, /* a job by the exchange mover */
	WAY_AUTO,     /* a job, the policy's choice */
	NR_WAYS,
};

const char *way_name(enum way way);
/* Those that were asked for, or all that can be had between these nodes. 0 or an exit code. */
int move_choose_ways(struct report *report, const int node[2], enum way *ways,
		     unsigned int *nr_ways);

/* The pages that are moved to and fro. */
struct subject {
	struct area area;
	struct holder holder; /* of the area, if that is another process's; pid 0: it is our own */
	bool fresh;           /* within one node, into other frames */
	int node[2];          /* the two ends; fresh: the same twice */
	unsigned int at;      /* which end the whole of it is on */
	uint64_t seed;        /* of its content */
	size_t step_bytes;    /* what one address in pages stands for */
	void **pages;         /* in the order they are asked for */
	int *nodes[2];
	int *status; /* of the latest move */
	int *where;
	uint32_t nr_pages;
};

/* 0 or -errno. scattered: every other folio, in random order. */
int subject_open(struct subject *subject, size_t folio_bytes, const int node[2]);
void subject_close(struct subject *subject);

/* Bytes that moving all of it moves. */
static inline size_t subject_bytes(const struct subject *subject)
{
	return (size_t)subject->nr_pages * subject->step_bytes;
}

struct outcome {
	uint64_t ns;
	double cpu_s;
	uint64_t nr_faults;
	double left_part; /* of the pages: not moved */
	bool has_result;  /* jobs have */
	struct ferry_result result;
};

/*
 * Moves nr addresses from the first'th on to node[end]. nr_workers 0: the policy's choice. 0, or
 * -errno, reported, if the call failed or a status can't be true.
 */
int subject_move(struct subject *subject, struct ferry *ferry, enum way way,
		 unsigned int nr_workers, uint32_t first, uint32_t nr, unsigned int end,
		 struct outcome *out);
/*
 * Checks the content of all pages, and where they are if way is given: by which the latest move,
 * one of all pages, was made. 0, or -EIO, reported.
 */
int subject_check(struct subject *subject, const enum way *way);

/* One row of the table. */
struct move_row {
	enum way way;
	unsigned int nr_workers;
	struct samples gb_per_s, cpu_s_per_gib, worker_s_per_gib, faults, frames, first_us, out_us;
	double moved_part; /* of what was asked, in the worst round */
	uint64_t pages_by_mover[FERRY_NR_MOVERS], pages_by_reason[FERRY_NR_REASONS];
	struct hist *reader, *writer; /* ns of one access; NULL: not measured */
};

void move_row_free(struct move_row *row);
void move_row_add(struct move_row *row, const struct outcome *outcome, size_t asked_bytes);

/* Moves while a reader and a writer touch random pages. 0 or -errno. */
int move_stall(struct subject *subject, struct ferry *ferry, struct move_row *row);

/* The table by request size. 0 or -errno. */
struct table *move_batch_table(struct report *report);
int move_batches(struct subject *subject, struct ferry *ferry, const enum way *ways,
		 unsigned int nr_ways, struct table *table);

/* move_table.c */
struct table *move_table(struct report *report);
/* limit: NULL without. kernel_gb_per_s: of the plain system call, 0 unknown. */
void move_table_add(struct table *table, const struct subject *subject, const struct move_row *row,
		    const struct limit_candidate *limit, double kernel_gb_per_s);
double move_table_best_limit(const struct table *table);
void move_table_draw(const struct table *table, struct plot *plot);

#endif
