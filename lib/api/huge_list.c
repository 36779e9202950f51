// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/sort.h"
#include "base/sys.h"
#include "base/vault.h"
#include "lib/plan/plan.h"
#include "lib/job/lifecycle.h"
#include "lib/api/huge_list.h"
#include "lib/core/job.h"
#include "lib/api/node_check.h"
#include "lib/nodes/pagemap.h"
#include "base/uapi.h"
#include "base/usermem.h"

static uintptr_t huge_of(uintptr_t addr)
{
	return ALIGN_DOWN(addr, HUGE_BYTES);
}

bool huge_list_begins(int pid, unsigned long count, void **pages)
{
	uintptr_t first[2];

	if (count < HUGE_LIST_MIN || count > UINT32_MAX ||
	    usermem_read(first, pages, sizeof(first)) != (long)sizeof(first) ||
	    huge_of(first[0]) == huge_of(first[1]))
		return false;
	if (!pid || pid == sys(SYS_getpid))
		return pagemap_is_huge(first[0]);
	/* To ask of another process takes as long as moving many a small page. */
	return huge_of(first[0]) == first[0] && huge_of(first[1]) == first[1];
}

bool huge_list_elsewhere(int pid, void **pages)
{
	uintptr_t first;

	return usermem_read(&first, pages, sizeof(first)) == (long)sizeof(first) &&
	       pagemap_seems_huge_in(pid, first);
}

/* The list, read from the caller and put into address order. */
struct list {
	unsigned long count;
	uintptr_t *pages;
	int *nodes;
	uint32_t *order; /* NULL: as it is */
};

static void list_free(const struct list *list)
{
	vault_free(list->pages, list->count * sizeof(*list->pages));
	vault_free(list->nodes, list->count * sizeof(*list->nodes));
	vault_free(list->order, list->count * sizeof(*list->order));
}

static bool list_alloc(struct list *list)
{
	return !vault_alloc(list->count * sizeof(*list->pages), (void **)&list->pages) &&
	       !vault_alloc(list->count * sizeof(*list->nodes), (void **)&list->nodes);
}

static bool list_read(struct list *list, void **pages, const int *nodes)
{
	size_t pages_bytes = list->count * sizeof(*list->pages);
	size_t nodes_bytes = list->count * sizeof(*list->nodes);

	if (usermem_read(list->pages, pages, pages_bytes) != (long)pages_bytes ||
	    usermem_read(list->nodes, nodes, nodes_bytes) != (long)nodes_bytes)
		return false;
	for (unsigned long i = 0; i < list->count; i++) {
		list->pages[i] = huge_of(list->pages[i]);
		if (list->nodes[i] != list->nodes[0])
			return false;
	}
	return !pages_order(list->pages, list->count, list->count, &list->order);
}

/* Pages that follow each other are one range. False: it is another kind of list. */
static bool add_page(struct ferry_job *job, uintptr_t addr, int node)
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

static bool add_list(struct ferry_job *job, const struct list *list)
{
	for (unsigned long i = 0; i < list->count; i++)
		if (!add_page(job, list->pages[list->order ? list->order[i] : i], list->nodes[0]))
			return false;
	return true;
}

static bool run(struct ferry_job *job, unsigned long count)
{
	job->own_process = true;
	job->nr_pages = job->nr_usable = count * PAGES_PER_HUGE;
	if (job_plan(job))
		return false;
	job_run(job);
	return job->tally.nr_moved + job->tally.nr_in_place == job->nr_pages;
}

static bool move_list(struct ferry *ferry, const struct list *list, int flags)
{
	struct ferry_job *job = NULL;
	bool done = false;
	int err;

	if (!ferry->machine.exchange)
		return false;
	nodecheck(0, flags, list->nodes, 1, &err);
	if (err || job_new(ferry, &job))
		return false;
	job->flags = flags & FERRY_MPOL_MF_MOVE_ALL ? FERRY_MOVE_ALL : 0;
	if (!vault_alloc(list->count * sizeof(*job->ranges), (void **)&job->ranges)) {
		done = add_list(job, list) && run(job, list->count);
		/* There was room for so many: job_free goes by this. */
		job->nr_ranges = list->count;
	}
	job_free(job);
	return done;
}

bool huge_list_move(struct ferry *ferry, unsigned long count, void **pages, const int *nodes,
		    int flags, int *node)
{
	struct list list = {.count = count};
	bool done = list_alloc(&list) && list_read(&list, pages, nodes) &&
		    move_list(ferry, &list, flags);

	if (done)
		*node = list.nodes[0];
	list_free(&list);
	return done;
}
