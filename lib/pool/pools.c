// SPDX-License-Identifier: LGPL-2.1-or-later
/* Opens the pools of a context at first use; trims, counts and closes all of them. */
#include <string.h>

#include "base/log.h"
#include "base/vault.h"
#include "lib/nodes/memory_room.h"
#include "lib/pool/pools.h"

/*
 * Without a cap from the caller a pool holds at most 1/8 of what is available on its node.
 * Increasing this leaves more memory to others; decreasing it lets more pages be in flight before
 * frames run short.
 */
#define POOL_SHARE 8

/* The lowest cap. Less leaves several lanes short of frames; more takes memory from small nodes. */
#define POOL_MIN_BYTES (4 * EXTENT_BYTES)
/* No larger cap where the node's size is unknown: a pool's tables grow with its cap. */
#define POOL_BLIND_BYTES (64UL << 30)

static uint64_t pools_cap(const struct pools *pools, int node)
{
	uint64_t total, available, cap = pools->cap_bytes;

	if (nodes_memory(node, &total, &available))
		cap = cap ? MIN(cap, POOL_BLIND_BYTES) : 16 * EXTENT_BYTES;
	else
		cap = cap ? MIN(cap, total) : available / POOL_SHARE;
	return MAX(cap, POOL_MIN_BYTES);
}

static struct pool *pools_open_one(struct pools *pools, int node, bool huge)
{
	const struct memory_blocks *blocks = pools->nodes->nr_memory > 1 ? pools->blocks : NULL;
	struct pool *pool;
	int err;

	if (vault_alloc(sizeof(*pool), (void **)&pool))
		return NULL;
	err = pool_open(pool, node, huge, blocks, pools->uffd, pools_cap(pools, node));
	if (err) {
		log_warn("node %d: no pool of %s frames (%s): the kernel mover moves pages to and "
			 "from it",
			 node, huge ? "huge" : "small", strerror(-err));
		vault_free(pool, sizeof(*pool));
		return NULL;
	}
	pool->need_pages = &pools->need_pages;
	pool->tight_lock = &pools->tight_lock;
	atomic_store(&pools->at[node][huge], pool);
	return pool;
}

void pools_init(struct pools *pools, const struct nodes *nodes, const struct memory_blocks *blocks,
		int uffd, uint64_t cap_bytes, uint64_t prefill_bytes)
{
	pools->nodes = nodes;
	pools->blocks = blocks;
	pools->uffd = uffd;
	pools->cap_bytes = cap_bytes;
	pools->need_pages = prefill_bytes / PAGE_BYTES;
}

struct pool *pools_get_open(struct pools *pools, int node, bool huge)
{
	return node >= 0 && node < MAX_POOL_NODES ? atomic_load(&pools->at[node][huge]) : NULL;
}

struct pool *pools_get(struct pools *pools, int node, bool huge)
{
	struct pool *pool;

	if (node < 0 || node >= MAX_POOL_NODES || pools->uffd < 0 || !nodes_has(pools->nodes, node))
		return NULL;
	pool = atomic_load(&pools->at[node][huge]);
	if (pool)
		return pool;
	futex_lock(&pools->lock);
	pool = atomic_load(&pools->at[node][huge]);
	if (!pool)
		pool = pools_open_one(pools, node, huge);
	futex_unlock(&pools->lock);
	return pool;
}

typedef void (*pool_fn)(struct pool *pool, void *arg);

static void pools_for_each(struct pools *pools, pool_fn fn, void *arg)
{
	for (int node = 0; node < MAX_POOL_NODES; node++) {
		for (unsigned int huge = 0; huge < 2; huge++) {
			struct pool *pool = pools_get_open(pools, node, huge);

			if (pool)
				fn(pool, arg);
		}
	}
}

/* ---- what jobs need ---- */

static void pools_note_need(struct pools *pools, uint64_t nr_pages)
{
	uint64_t need = atomic_load(&pools->need_pages);

	while (need < nr_pages &&
	       !atomic_compare_exchange_weak(&pools->need_pages, &need, nr_pages))
		;
}

void pools_job_begins(struct pools *pools, uint64_t nr_pages)
{
	pools_note_need(pools, atomic_fetch_add(&pools->active_pages, nr_pages) + nr_pages);
}

/* Not for less than an extent, which the next job would only allocate again. */
static void pool_trim_excess(struct pool *pool, void *need_bytes)
{
	uint64_t keep = MIN(*(uint64_t *)need_bytes, pool->cap_pages * PAGE_BYTES);

	if (pool_held_bytes(pool) > keep + EXTENT_BYTES)
		pool_trim(pool, keep);
}

void pools_job_ends(struct pools *pools, uint64_t nr_pages)
{
	uint64_t need_bytes = atomic_load(&pools->need_pages) * PAGE_BYTES;

	atomic_fetch_sub(&pools->active_pages, nr_pages);
	pools_for_each(pools, pool_trim_excess, &need_bytes);
}

/* ---- growing ---- */

static int pools_try_make_ready(struct pools_want *want)
{
	int err = pool_make_frames_ready(want->target, want->nr_bays, want->nr_left_bays,
					 want->stamp, &want->nr_made_pages);

	return err ? err : pool_make_slots_ready(want->source, want->nr_bays);
}

static void pool_trim_other(struct pool *pool, void *target)
{
	if (pool != target)
		pool_trim(pool, 0);
}

int pools_make_ready(struct pools *pools, struct pools_want *want)
{
	int err = pools_try_make_ready(want);

	if (!err)
		return 0;
	pools_for_each(pools, pool_trim_other, want->target);
	return pools_try_make_ready(want);
}

/* ---- trimming ---- */

static void pool_trim_to(struct pool *pool, void *keep_bytes)
{
	pool_trim(pool, *(uint64_t *)keep_bytes);
}

void pools_trim(struct pools *pools, uint64_t keep_bytes)
{
	atomic_store(&pools->need_pages,
		     MAX(atomic_load(&pools->active_pages), keep_bytes / PAGE_BYTES));
	pools_for_each(pools, pool_trim_to, &keep_bytes);
}

static void pool_trim_if_low(struct pool *pool, void *arg __maybe_unused)
{
	if (pool_held_bytes(pool) && !memory_room_bytes(pool->node))
		pool_trim(pool, 0);
}

void pools_trim_low(struct pools *pools)
{
	pools_for_each(pools, pool_trim_if_low, NULL);
}

/* ---- closing and counting ---- */

static void pool_close_and_free(struct pool *pool, void *arg __maybe_unused)
{
	pool_close(pool);
	vault_free(pool, sizeof(*pool));
}

void pools_close(struct pools *pools)
{
	pools_for_each(pools, pool_close_and_free, NULL);
	memset(pools, 0, sizeof(*pools));
}

struct pool_search {
	uintptr_t addr;
	bool found;
};

static void pool_search_one(struct pool *pool, void *arg)
{
	struct pool_search *search = arg;

	search->found |= pool_contains(pool, search->addr);
}

bool pools_contain(struct pools *pools, uintptr_t addr)
{
	struct pool_search search = {.addr = addr};

	pools_for_each(pools, pool_search_one, &search);
	return search.found;
}

struct pool_sum {
	uint64_t held_bytes, nr_freed;
};

static void pool_sum_one(struct pool *pool, void *arg)
{
	struct pool_sum *sum = arg;

	futex_lock(&pool->lock);
	sum->held_bytes += pool->nr_resident * PAGE_BYTES;
	sum->nr_freed += pool->nr_freed;
	futex_unlock(&pool->lock);
}

void pools_count(struct pools *pools, uint64_t *held_bytes, uint64_t *nr_freed)
{
	struct pool_sum sum = {0};

	pools_for_each(pools, pool_sum_one, &sum);
	*held_bytes = sum.held_bytes;
	*nr_freed = sum.nr_freed;
}

uint64_t pools_held_bytes(struct pools *pools)
{
	uint64_t held_bytes, nr_freed;

	pools_count(pools, &held_bytes, &nr_freed);
	return held_bytes;
}
