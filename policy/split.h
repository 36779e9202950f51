/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a batch is shared among the parts of an engine, such as the CPU and devices: by their rates
 * and queues, so that all end together. A part that fails, or is far slower than another one, gets
 * only a probe now and then, until one shows that it has recovered. Pure arithmetic: the caller
 * reads the clock.
 */
#ifndef FERRY_SPLIT_H
#define FERRY_SPLIT_H

#include "base/base.h"

/* The most parts of an engine. */
#define SPLIT_PARTS 4

/*
 * What is known of a part. All-zero is the initial state: never tried. The last of the parts is the
 * base: it needs no trial, and gets what no other part can take.
 */
struct split_part {
	bool in_use;           /* gets a share; else only probes */
	double ns_per_byte;    /* smoothed; 0: unknown */
	double optimism;       /* how much lower the latest guess of it was than the one before */
	uint64_t queued_bytes; /* sent to it, and not ended */
	uint64_t first_bytes;  /* of them: what was sent first, or all since some have ended */
	uint64_t since_ns;     /* it has worked on them since then, or longer */
	/* It began to copy counted_bytes, which have ended, and what is queued, between these. */
	uint64_t began_early_ns, began_late_ns;
	uint64_t counted_bytes;
	uint32_t nr_bad;       /* in a row: refused, or more than half not copied */
	uint32_t nr_good;      /* in a row, while it is in use */
	uint64_t probe_at_ns;  /* not in use: no probe before this time */
	uint64_t probe_gap_ns; /* between probes */
	uint64_t waited_ns;    /* for which the caller has had nothing to do but wait for it */
};

struct split_load {
	uint64_t now_ns;
	uint64_t bytes;
	/*
	 * How long the caller does other work between batches, while parts that work by themselves
	 * copy. The base does not.
	 */
	uint64_t other_work_ns;
	bool base_holds; /* the base has not begun with what is queued */
};

/*
 * The bytes of each part, so that all end at the same time; docs/policy.md, Splitting. They add up
 * to load->bytes.
 */
void split_share(const struct split_part *parts, unsigned int nr_parts,
		 const struct split_load *load, uint64_t *bytes);

/* The part has been given work. */
void split_sent(struct split_part *part, uint64_t now_ns, uint64_t bytes);

/* The part begins now with what it has held back. */
void split_held_begins(struct split_part *part, uint64_t now_ns);

/* The part would not take a batch. */
void split_refused(struct split_part *parts, unsigned int nr_parts, unsigned int which,
		   uint64_t now_ns);

/* What has ended since the part was last looked at. */
struct split_result {
	uint64_t bytes;  /* that have ended */
	uint64_t copied; /* of them */
	bool stray;      /* the part hangs */
	/* They ended after after_ns, and not later than now_ns. */
	uint64_t after_ns;
	uint64_t now_ns;
};

void split_ended(struct split_part *parts, unsigned int nr_parts, unsigned int which,
		 const struct split_result *result);

#endif
