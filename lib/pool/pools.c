// SPDX-License-Identifier: LGPL-2.1-or-later
/* Opens the pools of a context at first use; trims, counts and closes all of them. */
#include <string.h>

#include "base/log.h"
#include "base/vault.h"
#include "lib/pool/pools.h"

/*
 * Without a cap from the caller a pool holds at most 1/8 of its node's free memory. Increasing this
 * leaves more memory to others; decreasing it lets more pages be in flight before frames run
 * short.
 */
#define POOL_SHARE 8

/* The lowest cap. Less leaves several lanes short of frames; more takes memory from small nodes. */
#define POOL_MIN_BYTES (4 * EXTENT_BYTES)
/* No larger cap where the node's size is unknown: a pool's tables grow with its cap. */
#define POOL_BLIND_BYTES (64UL << 30)

static uint64_t pools_cap(const struct pools *pools, int node)
{
	uint64_t total, free, cap = pools->cap_bytes;

	if (nodes_memory(node, &total, &free))
		cap = cap ? MIN(cap, POOL_BLIND_BYTES) : 16 * EXTENT_BYTES;
	else
		cap = cap ? MIN(cap, total) : free / POOL_SHARE;
	return MAX(cap, POOL_MIN_BYTES);
}

static struct pool *pools_open_one(struct pools *pools, int node, bool huge)
{
	const struct memory_blocks *blocks = pools->nodes->nr_memory > 1 ? pools->blocks : NULL;
	void *pool;
	int err;

	if (vault_alloc(sizeof(struct pool), &pool))
		return NULL;
	err = pool_open(pool, node, huge, blocks, pools->uffd, pools_cap(pools, node));
	if (err) {
		log_warn("node %d: no pool of %s frames (%s): the kernel mover moves pages to and "
			 "from it",
			 node, huge ? "huge" : "small", strerror(-err));
		vault_free(pool, sizeof(struct pool));
		return NULL;
	}
	atomic_store(&pools->at[node][huge], pool);
	return pool;
}

void pools_init(struct pools *pools, const struct nodes *nodes, const struct memory_blocks *blocks,
		int uffd, uint64_t cap_bytes)
{
	pools->nodes = nodes;
	pools->blocks = blocks;
	pools->uffd = uffd;
	pools->cap_bytes = cap_bytes;
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

static void pool_trim_to(struct pool *pool, void *keep_bytes)
{
	pool_trim(pool, *(uint64_t *)keep_bytes);
}

void pools_trim(struct pools *pools, uint64_t keep_bytes)
{
	pools_for_each(pools, pool_trim_to, &keep_bytes);
}

static void pool_trim_if_low(struct pool *pool, void *arg __maybe_unused)
{
	if (pool_node_is_low(pool))
		pool_trim(pool, 0);
}

void pools_trim_low(struct pools *pools)
{
	pools_for_each(pools, pool_trim_if_low, NULL);
}

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
