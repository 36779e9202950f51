// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * migrate_pages(2): first the bulk by a job, then the system call itself, which moves what is left
 * and gives the answer. Its checks are asked of it beforehand, by a call with no source nodes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "base/vault.h"
#include "lib/plan/plan.h"
#include "lib/job/lifecycle.h"
#include "lib/api/fork.h"
#include "lib/api/call.h"
#include "lib/core/job.h"
#include "lib/api/node_check.h"
#include "lib/nodes/present_ranges.h"
#include "base/uapi.h"
#include "base/usermem.h"

#define MASK_WORDS (MAX_NODES / 64)

/* Pages given to one job; more are moved in several. */
#define BATCH_PAGES (1UL << 18)

struct migration {
	struct ferry *ferry;
	int pid;
	int to[MAX_NODES]; /* where pages of each node go; -1: they stay */
	struct slice *slice;
	struct ferry_job *job;
};

static long plain(int pid, unsigned long maxnode, const unsigned long *old_nodes,
		  const unsigned long *new_nodes)
{
	return sys(SYS_migrate_pages, pid, maxnode, old_nodes, new_nodes);
}

/* ---- which node's pages go where ---- */

static int read_mask(const unsigned long *user, unsigned long maxnode, uint64_t mask[MASK_WORDS])
{
	/* The kernel's maxnode is one more than the number of bits it reads. */
	unsigned long nr_bits = maxnode ? maxnode - 1 : 0;
	size_t len = DIV_ROUND_UP(nr_bits, 64) * sizeof(uint64_t);

	memset(mask, 0, MASK_WORDS * sizeof(*mask));
	if (!user || !nr_bits)
		return 0;
	if (len > MASK_WORDS * sizeof(*mask))
		len = MASK_WORDS * sizeof(*mask);
	if (usermem_read(mask, user, len) != (long)len)
		return -EFAULT;
	if (nr_bits < MAX_NODES && nr_bits % 64)
		mask[nr_bits / 64] &= (1ULL << (nr_bits % 64)) - 1;
	return 0;
}

static bool mask_test(const uint64_t *mask, int node)
{
	return mask[node / 64] >> (node % 64) & 1;
}

static unsigned int mask_weight(const uint64_t *mask)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < MASK_WORDS; i++)
		nr += (unsigned int)__builtin_popcountll(mask[i]);
	return nr;
}

static int mask_nth(const uint64_t *mask, unsigned int n)
{
	for (int node = 0; node < MAX_NODES; node++)
		if (mask_test(mask, node) && !n--)
			return node;
	return -1;
}

/* The n-th source node's pages go to the n-th target, counting round if there are fewer. */
static void map_nodes(struct migration *migration, const uint64_t *from, const uint64_t *to)
{
	unsigned int nr_from = mask_weight(from), nr_to = mask_weight(to), nth = 0;

	for (int node = 0; node < MAX_NODES; node++) {
		migration->to[node] = -1;
		if (!mask_test(from, node))
			continue;
		if (nr_to && !(nr_from != nr_to && mask_test(to, node)))
			migration->to[node] = mask_nth(to, nth % nr_to);
		nth++;
		if (migration->to[node] == node)
			migration->to[node] = -1;
	}
}

/* ---- the bulk ---- */

static int new_batch(struct migration *migration)
{
	struct ferry_job *job;
	int err = job_new(migration->ferry, &migration->job);

	if (err)
		return err;
	job = migration->job;
	job->pid = migration->pid;
	job->own_process = is_own_process(migration->pid);
	job->nr_pages = BATCH_PAGES;
	err = vault_alloc(BATCH_PAGES * sizeof(*job->pages), (void **)&job->pages);
	if (!err)
		err = vault_alloc(BATCH_PAGES * sizeof(*job->nodes), (void **)&job->nodes);
	return err;
}

static int flush(struct migration *migration)
{
	struct ferry_job *job = migration->job;
	int err = 0;

	if (job->nr_usable) {
		err = job_plan(job);
		if (!err)
			job_run(job);
	}
	job_free(job);
	migration->job = NULL;
	return err ? err : new_batch(migration);
}

/* Present pages, up to SLICE_MAX_PAGES of them; those on a source node are taken into the batch. */
static int add_pages(void *arg, uintptr_t start, uint64_t nr_pages)
{
	struct migration *migration = arg;
	struct slice *slice = migration->slice;

	for (uint64_t done = 0; done < nr_pages;) {
		unsigned int nr = (unsigned int)MIN(nr_pages - done, (uint64_t)SLICE_MAX_PAGES);

		if (migration->job->nr_usable + nr > BATCH_PAGES) {
			int err = flush(migration);

			if (err)
				return err;
		}
		for (unsigned int i = 0; i < nr; i++)
			slice->pages[i] = (void *)(start + (done + i) * PAGE_BYTES);
		if (sys_move_pages(migration->pid, nr, slice->pages, NULL, slice->status, 0))
			return -ESRCH;
		for (unsigned int i = 0; i < nr; i++) {
			struct ferry_job *job = migration->job;
			int node = slice->status[i];

			if (node < 0 || node >= MAX_NODES || migration->to[node] < 0)
				continue;
			job->pages[job->nr_usable] = (uintptr_t)slice->pages[i];
			job->nodes[job->nr_usable++] = migration->to[node];
		}
		done += nr;
	}
	return 0;
}

/* Whatever fails here is left to the system call. */
static void move_bulk(struct migration *migration)
{
	void *slice;

	if (vault_alloc(sizeof(*migration->slice), &slice))
		return;
	migration->slice = slice;
	if (!new_batch(migration) && !present_ranges_walk(migration->pid, add_pages, migration))
		flush(migration);
	job_free(migration->job);
	vault_free(slice, sizeof(*migration->slice));
}

static long migrate(struct ferry *ferry, int pid, unsigned long maxnode,
		    const unsigned long *old_nodes, const unsigned long *new_nodes)
{
	struct migration migration = {.ferry = ferry, .pid = pid};
	uint64_t from[MASK_WORDS], to[MASK_WORDS];

	/* If that fails the whole call would, though perhaps of something it checks earlier. */
	if (!plain(pid, maxnode, NULL, new_nodes) && !read_mask(old_nodes, maxnode, from) &&
	    !read_mask(new_nodes, maxnode, to)) {
		map_nodes(&migration, from, to);
		/* Idle frames would only be moved along. */
		ferry_trim(ferry);
		move_bulk(&migration);
	}
	return plain(pid, maxnode, old_nodes, new_nodes);
}

long ferry_migrate_pages(struct ferry *ferry, int pid, unsigned long maxnode,
			 const unsigned long *old_nodes, const unsigned long *new_nodes)
{
	long ret;

	if (!ferry) {
		errno = EINVAL;
		return -1;
	}
	atomic_fetch_add_explicit(&ferry->nr_calls, 1, memory_order_relaxed);
	if (ferry->nodes.nr_memory < 2 || fork_is_parents(ferry) || !call_enter()) {
		ret = plain(pid, maxnode, old_nodes, new_nodes);
	} else {
		uint64_t signals = call_block_signals();

		ret = migrate(ferry, pid, maxnode, old_nodes, new_nodes);
		call_unblock_signals(signals);
		call_leave();
	}
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}
