/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pools of a context: one per node and frame size, opened at first use. */
#ifndef FERRY_POOLS_H
#define FERRY_POOLS_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/futex.h"
#include "lib/nodes/memory_blocks.h"
#include "lib/nodes/nodes.h"
#include "lib/pool/pool.h"

/* The kernel mover moves pages of nodes with higher numbers. */
#define MAX_POOL_NODES 64

struct pools {
	const struct nodes *nodes;
	const struct memory_blocks *blocks;
	int uffd; /* -1: no pool can be opened */
	uint64_t cap_bytes;
	_Atomic uint64_t active_pages; /* of jobs that exchange now */
	_Atomic uint64_t need_pages;   /* the most of them since the pools were trimmed */
	struct futex_lock lock;
	struct futex_lock tight_lock; /* held while a pool grows with little memory left */
	_Atomic(struct pool *) at[MAX_POOL_NODES][2]; /* by node, then small and huge */
};

/*
 * cap_bytes: the most that a pool holds; 0: a share of its node's available memory. prefill_bytes:
 * what each pool may hold even if no job needs it. nodes and blocks must outlive the pools. An
 * all-zero struct pools counts as closed, and may be trimmed and counted.
 */
void pools_init(struct pools *pools, const struct nodes *nodes, const struct memory_blocks *blocks,
		int uffd, uint64_t cap_bytes, uint64_t prefill_bytes);
void pools_close(struct pools *pools);

/* The pool of a node, opened if need be. NULL: no pages of this node are exchanged. */
struct pool *pools_get(struct pools *pools, int node, bool huge);
/* The same without opening it: NULL if it is not open yet. */
struct pool *pools_get_open(struct pools *pools, int node, bool huge);

/*
 * A job that exchanges begins, with so many pages, or ends. Pools hold no more than such jobs need
 * at once: what they hold beyond that, by an extent, is freed when one ends.
 */
void pools_job_begins(struct pools *pools, uint64_t nr_pages);
void pools_job_ends(struct pools *pools, uint64_t nr_pages);

/* What a lane wants to have ready before it takes pages out. */
struct pools_want {
	struct pool *source, *target;
	unsigned int nr_bays;   /* frames of the target and slots of the source for so many */
	uint64_t nr_left_bays;  /* what the job has left to move: so many may be allocated */
	uint64_t stamp;         /* nodes_migration_stamp() */
	uint64_t nr_made_pages; /* out: how many frames were allocated */
};

/*
 * Grows both pools. Where memory or a limit does not allow for it, frees the idle frames of all
 * other pools first: with little memory left, those are what earlier chunks of the job have left
 * behind. 0: a chunk can be moved; -ENOMEM.
 */
int __must_check pools_make_ready(struct pools *pools, struct pools_want *want);

/* Frees idle frames: of all pools down to keep_bytes each, or of those whose memory is short. */
void pools_trim(struct pools *pools, uint64_t keep_bytes);
void pools_trim_low(struct pools *pools);

/* True if addr is in the address space of a pool. */
bool pools_contain(struct pools *pools, uintptr_t addr);
/* How many bytes of frames all pools hold. */
uint64_t pools_held_bytes(struct pools *pools);
/* How many bytes of frames all pools hold, and how many frames they have freed so far. */
void pools_count(struct pools *pools, uint64_t *held_bytes, uint64_t *nr_freed);

#endif
