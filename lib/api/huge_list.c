// SPDX-License-Identifier: LGPL-2.1-or-later
/* Recognizes lists that name huge pages by one address each, and moves them as ranges of 2 MiB. */
#include "base/sort.h"
#include "base/sys.h"
#include "base/uapi.h"
#include "base/usermem.h"
#include "base/vault.h"
#include "lib/api/huge_list.h"
#include "lib/api/process.h"
#include "lib/core/job.h"
#include "lib/job/lifecycle.h"
#include "lib/nodes/pagemap.h"
#include "lib/plan/plan.h"

static uintptr_t huge_start(uintptr_t addr)
{
	return ALIGN_DOWN(addr, HUGE_BYTES);
}

bool huge_list_begins(int pid, unsigned long count, void **pages)
{
	uintptr_t first[2];

	if (count < HUGE_LIST_MIN || count > UINT32_MAX ||
	    usermem_read(first, pages, sizeof(first)) != (long)sizeof(first) ||
	    huge_start(first[0]) == huge_start(first[1]))
		return false;
	if (!pid || pid == sys(SYS_getpid))
		return pagemap_is_huge(first[0]);
	/* Probing another process costs as much as moving many small pages. */
	return huge_start(first[0]) == first[0] && huge_start(first[1]) == first[1];
}

bool huge_list_elsewhere(int pid, void **pages)
{
	uintptr_t first;

	return usermem_read(&first, pages, sizeof(first)) == (long)sizeof(first) &&
	       pagemap_seems_huge_in(pid, first);
}

/* The caller's list, copied. */
struct huge_list {
	unsigned long count;
	uintptr_t *pages;
	int *nodes;
	uint32_t *order; /* indexes in ascending order of addresses; NULL: as they stand */
};

static void huge_list_free(const struct huge_list *list)
{
	vault_free(list->pages, list->count * sizeof(*list->pages));
	vault_free(list->nodes, list->count * sizeof(*list->nodes));
	vault_free(list->order, list->count * sizeof(*list->order));
}

static bool huge_list_alloc(struct huge_list *list)
{
	return !vault_alloc(list->count * sizeof(*list->pages), (void **)&list->pages) &&
	       !vault_alloc(list->count * sizeof(*list->nodes), (void **)&list->nodes);
}

static bool huge_list_read(struct huge_list *list, void **pages, const int *nodes)
{
	size_t pages_bytes = list->count * sizeof(*list->pages);
	size_t nodes_bytes = list->count * sizeof(*list->nodes);

	if (usermem_read(list->pages, pages, pages_bytes) != (long)pages_bytes ||
	    usermem_read(list->nodes, nodes, nodes_bytes) != (long)nodes_bytes)
		return false;
	for (unsigned long i = 0; i < list->count; i++) {
		list->pages[i] = huge_start(list->pages[i]);
		if (list->nodes[i] != list->nodes[0])
			return false;
	}
	return !pages_order(list->pages, list->count, list->count, &list->order);
}

/* Adds a huge page to the last range or as a new one. False if addr is no other huge page. */
static bool job_add_huge_page(struct ferry_job *job, uintptr_t addr, int node)
{
	struct ferry_range *last = job->nr_ranges ? &job->ranges[job->nr_ranges - 1] : NULL;
	uintptr_t end = last ? (uintptr_t)last->addr + last->len_bytes : 0;

	if (addr < end || !pagemap_is_huge(addr))
		return false;
	if (last && addr == end)
		last->len_bytes += HUGE_BYTES;
	else
		job->ranges[job->nr_ranges++] = (struct ferry_range){
			.addr = (void *)addr, .len_bytes = HUGE_BYTES, .node = node};
	return true;
}

static bool job_add_huge_list(struct ferry_job *job, const struct huge_list *list)
{
	for (unsigned long i = 0; i < list->count; i++)
		if (!job_add_huge_page(job, list->pages[list->order ? list->order[i] : i],
				       list->nodes[0]))
			return false;
	return true;
}

/* True if every page is on its node. */
static bool job_run_whole(struct ferry_job *job, unsigned long count)
{
	job->own_process = true;
	job->nr_pages = job->nr_usable = count * PAGES_PER_HUGE;
	if (job_plan(job))
		return false;
	job_run(job);
	return job->tally.nr_moved + job->tally.nr_in_place == job->nr_pages;
}

static bool huge_list_move_by_job(struct ferry *ferry, const struct huge_list *list, int flags)
{
	struct ferry_job *job = NULL;
	bool done = false;
	int err;

	if (!ferry->machine.exchange)
		return false;
	process_check_nodes(0, flags, list->nodes, 1, &err);
	if (err || job_new(ferry, &job))
		return false;
	job->flags = flags & FERRY_MPOL_MF_MOVE_ALL ? FERRY_MOVE_ALL : 0;
	if (!vault_alloc(list->count * sizeof(*job->ranges), (void **)&job->ranges)) {
		done = job_add_huge_list(job, list) && job_run_whole(job, list->count);
		/* job_free() frees as many ranges as were allocated. */
		job->nr_ranges = list->count;
	}
	job_free(job);
	return done;
}

bool huge_list_move(struct ferry *ferry, unsigned long count, void **pages, const int *nodes,
		    int flags, int *node)
{
	struct huge_list list = {.count = count};
	bool done = huge_list_alloc(&list) && huge_list_read(&list, pages, nodes) &&
		    huge_list_move_by_job(ferry, &list, flags);

	if (done)
		*node = list.nodes[0];
	huge_list_free(&list);
	return done;
}
