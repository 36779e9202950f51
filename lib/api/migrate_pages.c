// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * ferry_migrate_pages: jobs move the bulk of the pages, then migrate_pages(2) itself moves the rest
 * and gives the answer. Before that, a call of it without source nodes makes its checks.
 */
#include <errno.h>
#include <string.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "base/usermem.h"
#include "base/vault.h"
#include "lib/api/call.h"
#include "lib/api/fork.h"
#include "lib/api/process.h"
#include "lib/core/job.h"
#include "lib/job/lifecycle.h"
#include "lib/nodes/present_ranges.h"
#include "lib/plan/plan.h"

#define MASK_WORDS (MAX_NODES / 64)

/*
 * The most pages in one job; more pages need several jobs. Increasing this makes fewer jobs, whose
 * beginning and end take time; decreasing it needs less memory for lists: 12 bytes per page.
 */
#define BATCH_PAGES (1UL << 18)

struct migration {
	struct ferry *ferry;
	int pid;
	int to[MAX_NODES]; /* the target of each node's pages; -1: they stay */
	struct slice *slice;
	struct ferry_job *job; /* the batch that is being filled */
};

static long sys_migrate_pages(int pid, unsigned long maxnode, const unsigned long *old_nodes,
			      const unsigned long *new_nodes)
{
	return sys(SYS_migrate_pages, pid, maxnode, old_nodes, new_nodes);
}

/* ---- the target of each node's pages ---- */

static int mask_read(const unsigned long *user, unsigned long maxnode, uint64_t mask[MASK_WORDS])
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

/*
 * As in the kernel, pages of the n-th source node go to the n-th target; with fewer targets than
 * sources, counting starts again at the first. If the numbers differ, pages on a target stay.
 */
static void migration_map_nodes(struct migration *migration, const uint64_t *from,
				const uint64_t *to)
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

static int migration_new_batch(struct migration *migration)
{
	struct ferry_job *job;
	int err = job_new(migration->ferry, &migration->job);

	if (err)
		return err;
	job = migration->job;
	job->pid = migration->pid;
	job->own_process = process_is_own(migration->pid);
	job->nr_pages = BATCH_PAGES;
	err = vault_alloc(BATCH_PAGES * sizeof(*job->pages), (void **)&job->pages);
	if (!err)
		err = vault_alloc(BATCH_PAGES * sizeof(*job->nodes), (void **)&job->nodes);
	return err;
}

static int migration_flush(struct migration *migration)
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
	return err ? err : migration_new_batch(migration);
}

/* Puts those of nr present pages into the batch that are on a source node. */
static int migration_add_slice(struct migration *migration, uintptr_t start, unsigned int nr)
{
	struct slice *slice = migration->slice;
	struct ferry_job *job = migration->job;

	for (unsigned int i = 0; i < nr; i++)
		slice->pages[i] = (void *)(start + (uintptr_t)i * PAGE_BYTES);
	if (sys_move_pages(migration->pid, nr, slice->pages, NULL, slice->status, 0))
		return -ESRCH;
	for (unsigned int i = 0; i < nr; i++) {
		int node = slice->status[i];

		if (node < 0 || node >= MAX_NODES || migration->to[node] < 0)
			continue;
		job->pages[job->nr_usable] = (uintptr_t)slice->pages[i];
		job->nodes[job->nr_usable++] = migration->to[node];
	}
	return 0;
}

static int migration_add_pages(void *arg, uintptr_t start, uint64_t nr_pages)
{
	struct migration *migration = arg;
	int err = 0;

	for (uint64_t done = 0; !err && done < nr_pages;) {
		unsigned int nr = (unsigned int)MIN(nr_pages - done, (uint64_t)SLICE_MAX_PAGES);

		if (migration->job->nr_usable + nr > BATCH_PAGES)
			err = migration_flush(migration);
		if (!err)
			err = migration_add_slice(migration, start + done * PAGE_BYTES, nr);
		done += nr;
	}
	return err;
}

/* On a failure the system call moves what is left. */
static void migration_move_bulk(struct migration *migration)
{
	void *slice;

	if (vault_alloc(sizeof(*migration->slice), &slice))
		return;
	migration->slice = slice;
	if (!migration_new_batch(migration) &&
	    !present_ranges_walk(migration->pid, migration_add_pages, migration))
		migration_flush(migration);
	job_free(migration->job);
	vault_free(slice, sizeof(*migration->slice));
}

static long migration_run(struct ferry *ferry, int pid, unsigned long maxnode,
			  const unsigned long *old_nodes, const unsigned long *new_nodes)
{
	struct migration migration = {.ferry = ferry, .pid = pid};
	uint64_t from[MASK_WORDS], to[MASK_WORDS];

	/* If the checks fail, so does the call below, perhaps with the error of an earlier check.
	 */
	if (!sys_migrate_pages(pid, maxnode, NULL, new_nodes) &&
	    !mask_read(old_nodes, maxnode, from) && !mask_read(new_nodes, maxnode, to)) {
		migration_map_nodes(&migration, from, to);
		/* Free idle frames, which would only be moved as well. */
		ferry_trim(ferry);
		migration_move_bulk(&migration);
	}
	return sys_migrate_pages(pid, maxnode, old_nodes, new_nodes);
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
	if (ferry->nodes.nr_memory < 2 || fork_is_copy(ferry) || !call_enter()) {
		ret = sys_migrate_pages(pid, maxnode, old_nodes, new_nodes);
	} else {
		uint64_t signals = call_block_signals();

		ret = migration_run(ferry, pid, maxnode, old_nodes, new_nodes);
		call_unblock_signals(signals);
		call_leave();
	}
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}
